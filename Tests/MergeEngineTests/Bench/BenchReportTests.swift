import Foundation
import HTMLReport
import TestSupport
import Testing

@testable import Bench
@testable import merge_engine

/// What a report computes and shows of measurements that are made up.
@Suite struct BenchReportTests {
  @Test func `medians, spreads and ratios are those of the measurements`() throws {
    let workload = Self.report().workloads[0]
    let engine = try #require(workload.contender("engine, 2 workers"))
    #expect(engine.medianSeconds == 2)
    #expect(engine.spreadSeconds == 1.5...4)
    #expect(engine.walBytes == 200)
    #expect(engine.deadTuples == 20)
    #expect(engine.serverCPUSeconds == 4)
    #expect(engine.clientCPUSeconds == 0.2)
    #expect(engine.clientPeakBytes == 60_000_000)
    #expect(workload.speedup(engine) == 5)
    // The floor by two connections takes 1 s, the one by four 1.6 s.
    #expect(workload.overFloor(engine) == 2)
    // Of the floors the one by two connections takes 2 s of CPU time, the one by four 3.2 s.
    #expect(workload.cpuOverFloor(engine) == 2)
    let guide = try #require(workload.contender("guide"))
    #expect(guide.medianSeconds == 10)
    #expect(guide.clientCPUSeconds == nil)
  }

  @Test func `one wrong repetition makes a contender wrong, and there are no ratios of it`() throws {
    let report = Self.report(wrong: "engine, 2 workers")
    let workload = report.workloads[0]
    let engine = try #require(workload.contender("engine, 2 workers"))
    #expect(!engine.isRight && !report.isRight)
    #expect(workload.speedup(engine) == nil)
    #expect(workload.overFloor(engine) == nil)
    #expect(workload.contender("guide").flatMap { workload.speedup($0) } == 1)
  }

  @Test func `where the guide or the floor is wrong nothing is compared with it`() throws {
    let unguided = Self.report(wrong: "guide").workloads[0]
    let engine = try #require(unguided.contender("engine, 2 workers"))
    #expect(unguided.speedup(engine) == nil)
    #expect(unguided.overFloor(engine) == 2)
    #expect(Self.report(wrong: "floor, 2 connections").workloads[0].overFloor(engine) == 2 / 1.6)
    let floorless = Self.report(wrong: "floor, 2 connections", "floor, 4 connections").workloads[0]
    #expect(floorless.overFloor(engine) == nil)
    #expect(floorless.speedup(engine) == 5)
  }

  @Test func `the JSON has every measurement, the ratios, and what was asked for`() throws {
    let data = try JSONEncoder().encode(Self.report(wrong: "guide"))
    let json = try JSONValue(text: String(decoding: data, as: UTF8.self))
    #expect(
      json.keys == [
        "started_at", "elapsed_seconds", "rows", "parameters", "engine_version", "server", "machine", "workloads",
      ]
    )
    #expect(json["started_at"].text == "2025-01-31T06:00:00Z")
    #expect(json["rows"].integer == 1000)
    #expect(
      json["parameters"].keys == [
        "command", "label", "rows", "workloads", "contenders", "repetitions", "time_limit_minutes", "connections",
        "batch", "seed",
      ]
    )
    #expect(json["machine"].keys == ["processor", "cores", "memory_bytes", "system"])
    let workload = try #require(json["workloads"].elements.first)
    #expect(workload.keys == ["workload", "staging_rows", "production_rows", "contenders"])
    let engine = try #require(workload["contenders"].elements.first)
    #expect(engine["name"].text == "engine, 2 workers")
    #expect(engine["median_seconds"].integer == 2)
    #expect(engine["rows_per_second"].integer == 500)
    #expect(engine["over_floor"].integer == 2)
    #expect(engine["server_cpu_over_floor"].integer == 2)
    #expect(engine["times_guide"] == .null)
    #expect(engine["right"] == .bool(true))
    #expect(engine["measurements"].elements.count == 3)
    #expect(
      engine["measurements"].elements[0].keys == [
        "elapsed_seconds", "wal_bytes", "dead_tuples", "server_cpu_seconds", "client_cpu_seconds", "client_peak_bytes",
        "right",
      ]
    )
    #expect(workload["contenders"].elements[1]["right"] == .bool(false))
  }

  @Test func `the table has a line a contender, and how it came about below`() {
    let text = BenchTable(report: Self.report(wrong: "guide")).rendered(.plain).string
    #expect(
      text.hasPrefix(
        "mixed: 40 % newer, 30 % new, 30 % equal; keys 1 in 4 of production; 1,000 staging rows, 4,000 in production\n"
      )
    )
    for line in [
      /engine, 2 workers +2\.00 s +1\.50–4\.00 +3 +500 +- +2\.00 +4\.00 s +2\.00 +0\.20 s +60\.0 MB +200 B +20 +-\n/,
      /guide +WRONG RESULT\n/,
      /floor, 2 connections +1\.00 s +- +1 +1,000 +- +1\.00 +2\.00 s +1\.00 +- +- +100 B +10 +-\n/,
    ] {
      #expect(text.contains(line), "\(text)")
    }
    for part in [
      "2025-01-31T06:00:00Z, took 12.5 s", "--repeat 3 --time-limit 17 --connections 4 --batch 50000 --seed 7\n",
      "merge-engine 1.2.3; commit abc\n", "PostgreSQL 15.1: fsync off, jit on\n",
      "Model <T>, 2 cores, 8.0 GB of memory; Linux\n",
    ] {
      #expect(text.contains(part), "\(text)")
    }
  }

  @Test func `the page's bars are as long as the medians, and who is wrong has none`() {
    let html = BenchPage(Self.report(wrong: "guide")).html()
    // The longest is 10 s, of the guide; 1,000 units.
    #expect(html.contains("aria-label=\"engine, 2 workers: 2.00 s\""))
    #expect(html.contains("<rect class=\"updated\" width=\"200\" height=\"20\"/>"))
    #expect(html.contains("<line class=\"spread\" x1=\"150\" x2=\"400\" y1=\"10\" y2=\"10\"/>"))
    #expect(html.contains("<rect class=\"duplicate\" width=\"100\" height=\"20\"/>"))
    #expect(!html.contains("aria-label=\"guide:"))
    #expect(html.contains("guide</th><td class=\"n\">wrong result</td>"))
    #expect(html.contains("Model &lt;T&gt;, 2 cores, 8.0 GB"))
  }

  /// An engine with three runs, a guide, and two floors, on 1,000 rows.
  private static func report(wrong: String...) -> BenchReport {
    func contender(_ contender: Contender, _ seconds: [Double]) -> BenchReport.ContenderReport {
      let last = seconds.count - 1
      return BenchReport.ContenderReport(
        contender: contender,
        measurements: seconds.enumerated().map { index, seconds in
          var measurement = Measurement(
            elapsedSeconds: seconds,
            walBytes: 100 * (index + 1),
            deadTuples: 10 * (index + 1),
            serverCPUSeconds: 2 * seconds,
            // Of several only the last.
            isRight: !wrong.contains(contender.name) || index < last
          )
          if contender.isEngine {
            measurement.clientCPUSeconds = 0.1 * Double(index + 1)
            measurement.clientPeakBytes = 20_000_000 * (index + 1)
          }
          return measurement
        }
      )
    }
    var options = BenchOptions()
    (options.rowCount, options.workloads, options.connections, options.seed) = (1000, [.mixed], 4, 7)
    options.label = "commit abc"
    return BenchReport(
      startedAt: Date(timeIntervalSince1970: 1_738_303_200),
      elapsedSeconds: 12.5,
      parameters: BenchParameters(options),
      engineVersion: "1.2.3",
      server: BenchReport.Server(version: "15.1", settings: ["jit": "on", "fsync": "off"]),
      machine: BenchReport.Machine(processor: "Model <T>", cores: 2, memoryBytes: 8_000_000_000, system: "Linux"),
      workloads: [
        BenchReport.WorkloadReport(
          workload: .mixed,
          stagedRowCount: 1000,
          productionRowCount: 4000,
          contenders: [
            contender(.engine(workers: 2, marks: false), [4, 2, 1.5]),
            contender(.guide(onOwnStaging: true), [10]),
            contender(.floor(connections: 2), [1]),
            contender(.floor(connections: 4), [1.6]),
          ]
        )
      ]
    )
  }
}
