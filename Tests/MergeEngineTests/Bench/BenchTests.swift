import Foundation
import Libpq
import MergeEngine
import PrivateCluster
import Synchronization
import TestSupport
import Testing

@testable import Bench

/// `bench` on a server: every contender right, and nothing left behind.
///
/// Each on a server of its own, since the scratch databases have fixed names.
@Suite struct BenchTests {
  @Test func `every contender leaves the right production on every workload`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 1
        options.connections = 3
      }
      #expect(report.workloads.map(\.workload) == Workload.usual)
      for workload in report.workloads {
        let wrong = workload.contenders.filter { !$0.isRight }.map(\.name)
        #expect(wrong == [], "\(workload.workload)")
        guard !workload.workload.isVerified else {
          // Each fails if it does not find just the differences that were planted.
          #expect(workload.contenders.map(\.name) == ["verify, 1 worker", "verify, 2 workers", "FULL JOIN"])
          continue
        }
        let statement = cluster.serverVersion.major >= 15 ? ["MERGE"] : []
        // What explains ON CONFLICT's figures runs where there are many equal rows, or where it is asked for.
        let explanations = ["ON CONFLICT, no marks", "ON CONFLICT, joined first"]
        let isExplained = [.mixed, .reload].contains(workload.workload)
        #expect(
          workload.contenders.map(\.name) == [
            "engine, 1 worker", "engine, 2 workers", "engine, 3 workers", "engine, 2 workers, marks", "guide",
            "guide on init's staging",
          ] + statement + ["ON CONFLICT"] + (isExplained ? explanations : []) + [
            "ON CONFLICT, 3 connections", "floor, 2 connections", "floor, 3 connections",
          ]
        )
      }
      #expect(try databases(cluster) == ["postgres"])
    }
  }

  @Test func `contenders that are asked for run on every workload, and are right there`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 1
        options.contenderFilter = ["joined first", "CONFLICT, no marks"]
      }
      #expect(report.workloads.map(\.workload) == Workload.usual)
      #expect(report.workloads.allSatisfy { $0.contenders.count == 2 && $0.contenders.allSatisfy(\.isRight) })
    }
  }

  @Test func `a repetition is begun only if the workloads to come keep their time`() {
    var options = BenchOptions()
    options.workloads = [.mixed, .reload]
    options.timeLimitMinutes = 17
    // A mixed one that took 8 minutes leaves none for a second one before reload; one that took 4 does.
    for (minutes, fits) in [(8.0, false), (4.0, true)] {
      var pace = Pace(options, since: .now - .seconds(minutes * 60))
      let answers = [(Workload.mixed, 1), (.mixed, 2), (.reload, 1)].map { pace.begin($0, repetition: $1) }
      #expect(answers == [true, fits, true], "one of each is always made")
    }
  }

  @Test func `the figures are those of the rows that the workload says`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 2
        options.workloads = [.mixed]
        options.connections = 2
        options.contenderFilter = ["1 worker", "workers, marks", "floor"]
      }
      let workload = try #require(report.workloads.first)
      #expect(workload.contenders.allSatisfy { $0.measurements.count == 2 })
      // 700 of 1,000 rows are written, 400 of them over old ones.
      #expect(workload.contender("floor, 2 connections")?.deadTuples == 400)
      let engine = try #require(workload.contender("engine, 1 worker"))
      #expect(engine.deadTuples == 400)
      let marking = try #require(workload.contender("engine, 2 workers, marks"))
      // Marks make every staging row a dead one too, unless the page was read again since: that removes what is dead.
      #expect((400...1400).contains(marking.deadTuples), "\(marking.deadTuples)")
      #expect(engine.walBytes < marking.walBytes)
      #expect(engine.clientPeakBytes.map { $0 > 1_000_000 } ?? true)
      #expect(workload.contenders.allSatisfy { $0.serverCPUSeconds != nil })
      #expect(workload.contenders.compactMap(\.serverCPUSeconds).reduce(0, +) > 0)
      #expect(engine.clientCPUSeconds.map { $0 > 0 } == true)
      #expect(workload.contender("floor, 2 connections")?.clientCPUSeconds == nil)
    }
  }

  @Test func `refused rows are those of the workload, and CDC's longest wait is seen`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 2000
        options.repetitions = 1
        options.workloads = [.refusals]
        options.connections = 2
      }
      let workload = try #require(report.workloads.first)
      // A statement would fail as a whole.
      #expect(
        workload.contenders.map(\.name) == [
          "engine, 1 worker", "engine, 2 workers", "engine, 2 workers, marks", "floor, 2 connections",
        ]
      )
      // The engine's own count of refused rows is held against the workload's with every run.
      #expect(workload.contenders.allSatisfy { $0.isRight })
      #expect(workload.contenders.allSatisfy { $0.longestWriteSeconds.map { $0 > 0 } == true })
    }
  }

  @Test func `a database that merely has the name is left alone`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let connection = try Connection(to: ConnectionTarget(cluster.connectionString()), applicationName: "test") { _ in
      }
      try connection.execute("CREATE DATABASE merge_engine_bench_run", "making somebody's database")
      let error = await #expect(throws: MergeFailure.self) { try await bench(cluster) { $0.rowCount = 1000 } }
      guard case .blocked(let findings)? = error else { return #expect(Bool(false), "\(String(describing: error))") }
      #expect(findings.first?.message.contains("merge_engine_bench_run") == true)
      #expect(try databases(cluster) == ["merge_engine_bench_run", "postgres"])
    }
  }

  @Test func `a bench that is interrupted drops its databases`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let stop = StopSignal()
      await #expect(throws: BenchError.self) {
        try await bench(cluster, stop) { options in
          options.rowCount = 1000
          options.repetitions = 100
        } onProgress: { progress in
          if case .measured = progress { stop.request(signal: SIGINT) }
        }
      }
      #expect(try databases(cluster) == ["postgres"])
    }
  }

  @Test func `what no longer has the answer is wrong, and gives no ratios`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let template = try ConnectionTarget(cluster.connectionString(database: "merge_engine_bench_template"))
      let firstName = Mutex("")
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 1
        options.workloads = [.mixed]
      } onProgress: { progress in
        guard case .measured(_, let contender, _, _) = progress, firstName.withLock({ $0.isEmpty }) else { return }
        firstName.withLock { $0 = contender.name }
        Self.change(template, "UPDATE production.orders SET amount = amount + 1 WHERE order_id = 1")
      }
      let workload = try #require(report.workloads.first)
      #expect(!report.isRight)
      #expect(workload.contenders.filter(\.isRight).map(\.name) == [firstName.withLock { $0 }])
      #expect(workload.contenders.compactMap { workload.overFloor($0) }.count <= 1)
      #expect(workload.contenders.compactMap { workload.speedup($0) }.count <= 1)
    }
  }

  @Test func `who says that staging is marked and leaves it as it was is wrong`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let template = try ConnectionTarget(cluster.connectionString(database: "merge_engine_bench_template"))
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 2
        options.workloads = [.mixed]
        options.contenderFilter = ["ON CONFLICT"]
      } onProgress: { progress in
        // Once all have been right.
        guard case .measured(_, _, 2, _) = progress else { return }
        Self.change(
          template,
          """
          CREATE OR REPLACE FUNCTION production.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
          CREATE OR REPLACE TRIGGER keep BEFORE UPDATE ON staging_marked.orders FOR EACH ROW EXECUTE FUNCTION production.keep()
          """
        )
      }
      let workload = try #require(report.workloads.first)
      #expect(workload.contenders.allSatisfy { $0.measurements[0].isRight })
      #expect(try #require(workload.contender("ON CONFLICT, no marks")).isRight)
      #expect(workload.contenders.filter { !$0.isRight }.count >= 2)
    }
  }

  @Test func `another bench on any database of the server is refused and disturbs nothing`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let administration = try ConnectionTarget(cluster.connectionString())
      Self.change(administration, "CREATE DATABASE other")
      let other = Bench(
        target: try ConnectionTarget(cluster.connectionString(database: "other")),
        options: BenchOptions(),
        stop: StopSignal()
      )
      let refusals = Mutex<[String]>([])
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 1
        options.workloads = [.mixed]
        options.contenderFilter = ["floor"]
      } onProgress: { progress in
        guard case .measured = progress else { return }
        do {
          _ = try other.run()
          refusals.withLock { $0.append("none") }
        } catch {
          refusals.withLock { $0.append("\(error)") }
        }
      }
      #expect(report.isRight)
      let all = refusals.withLock { $0 }
      #expect(all.count == report.workloads[0].contenders.count)
      #expect(all.allSatisfy { $0.contains("another merge-engine bench") && $0.contains("postgres") }, "\(all)")
    }
  }

  @Test func `every contender runs once in each repetition, in the order that the seed gives`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let names = Mutex<[Int: [String]]>([:])
      let report = try await bench(cluster) { options in
        options.rowCount = 100
        options.repetitions = 2
        options.workloads = [.insert]
        options.connections = 2
        options.contenderFilter = ["guide", "ON CONFLICT, "]
        options.seed = 7
      } onProgress: { progress in
        guard case .measured(_, let contender, let repetition, _) = progress else { return }
        names.withLock { $0[repetition, default: []].append(contender.name) }
      }
      #expect(report.parameters.seed == 7)
      let all = report.workloads[0].contenders.map(\.name)
      #expect(all.count == 5)
      for repetition in 1...2 {
        let order = RunOrder(seed: 7).places(all.count, .insert, repetition: repetition)
        #expect(names.withLock { $0[repetition] } == order.map { all[$0] })
      }
    }
  }

  @Test func `a seed gives another order for each repetition and workload, and always the same`() {
    let order = RunOrder(seed: 7)
    let first = order.places(13, .mixed, repetition: 1)
    #expect(first.sorted() == Array(0..<13))
    #expect(first == RunOrder(seed: 7).places(13, .mixed, repetition: 1))
    #expect(first != order.places(13, .mixed, repetition: 2))
    #expect(first != order.places(13, .reload, repetition: 1))
    #expect(first != RunOrder(seed: 8).places(13, .mixed, repetition: 1))
  }

  @Test func `when the time is up every workload still has its one repetition`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 100
        options.timeLimitMinutes = 0
        options.workloads = [.reload, .update]
        options.contenderFilter = ["floor"]
      }
      #expect(report.workloads.count == 2)
      #expect(report.workloads.allSatisfy { $0.contenders.allSatisfy { $0.measurements.count == 1 } })
    }
  }

  @Test func `what the bare writes leave behind is what the workloads say`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 1
        options.connections = 2
        options.contenderFilter = ["floor"]
      }
      let dead = report.workloads.map { $0.contenders[0].deadTuples }
      // 40 % of 1,000, 5 %, none, all of 500, 40 % of 20, and 40 % of 250 twice.
      #expect(dead == [400, 50, 0, 500, 8, 100, 100])
      #expect(report.workloads.map(\.stagedRowCount) == [1000, 1000, 1000, 500, 20, 250, 250])
      #expect(report.workloads.map(\.productionRowCount) == [4000, 4000, 4000, 2000, 4000, 1000, 1000])
    }
  }

  @Test func `the sparse workload meets the same rows in a production of another size`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.productionRowCount = 20_000
        options.repetitions = 1
        options.workloads = [.sparse, .reload]
        options.connections = 2
        options.contenderFilter = ["2 workers", "floor"]
      }
      #expect(report.isRight)
      #expect(report.workloads[0].summary == "as mixed; keys 1 in 1000 of production")
      #expect(report.workloads.map(\.stagedRowCount) == [20, 1000])
      #expect(report.workloads.map(\.productionRowCount) == [20_000, 20_000])
      #expect(report.workloads.map { $0.contender("floor, 2 connections")?.deadTuples } == [8, 50])
    }
  }

  @Test func `the wide table has 60 columns and about 1 kB a row, the indexed one seven indexes`() async throws {
    #expect(WorkloadTable.wide.columns.count == 60)
    // The primary key's is the seventh.
    #expect(Workload.indexed.productionIndexes.count == 6)
    try await TestServer.withOwn { cluster async throws in
      let template = cluster.connectionString(database: "merge_engine_bench_template")
      let byteCount = Mutex(0)
      _ = try await bench(cluster) { options in
        options.rowCount = 4000
        options.repetitions = 1
        options.workloads = [.wide]
        options.contenderFilter = ["floor"]
      } onProgress: { progress in
        guard case .measured = progress else { return }
        let connection = try? Connection(to: ConnectionTarget(template), applicationName: "test") { _ in }
        let size = try? connection?.query(
          "SELECT avg(pg_column_size(w.*))::bigint FROM production.wide_orders AS w",
          "looking at the workload"
        )
        byteCount.withLock { $0 = size?.integer(0, 0) ?? 0 }
      }
      let found = byteCount.withLock { $0 }
      #expect((900...1300).contains(found), "\(found) bytes")
    }
  }

  /// Runs statements on a connection that is closed again at once.
  private static func change(_ target: ConnectionTarget, _ sql: String) {
    do {
      let connection = try Connection(to: target, applicationName: "test") { _ in }
      try connection.execute(.uncheckedFromServer(sql), "changing the workload")
    } catch {
      Issue.record("\(error)")
    }
  }

  private func bench(
    _ cluster: PrivateCluster,
    _ stop: StopSignal = StopSignal(),
    _ change: (inout BenchOptions) -> Void,
    onProgress: @escaping @Sendable (Bench.Progress) -> Void = { _ in }
  ) async throws -> BenchReport {
    var options = BenchOptions()
    change(&options)
    let bench = Bench(target: try ConnectionTarget(cluster.connectionString()), options: options, stop: stop)
    return try await onItsOwnThread { try bench.run(onProgress: onProgress) }
  }

  private func databases(_ cluster: PrivateCluster) throws -> [String] {
    let connection = try Connection(to: ConnectionTarget(cluster.connectionString()), applicationName: "test") { _ in }
    let result = try connection.query(
      "SELECT datname::text FROM pg_database WHERE NOT datistemplate ORDER BY 1",
      "looking for what is left"
    )
    return (0..<result.count).compactMap { result.text($0, 0) }
  }
}
