import Bench
import Foundation
import Libpq
import MergeEngine
import PrivateCluster
import Testing

/// `bench` on a server: every contender right, and nothing left behind.
///
/// One after the other and on a server of their own, since the scratch databases have fixed names.
@Suite(.serialized) struct BenchTests {
  @Test func `every contender leaves the right production on every workload`() async throws {
    try await PrivateCluster.with { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 1
        options.connections = 3
      }
      #expect(report.workloads.map(\.workload) == Workload.allCases)
      for workload in report.workloads {
        let wrong = workload.contenders.filter { !$0.isRight }.map(\.name)
        #expect(wrong == [], "\(workload.workload)")
        let statement = cluster.serverVersion.major >= 15 ? ["MERGE"] : []
        #expect(
          workload.contenders.map(\.name) == [
            "engine, 1 worker", "engine, 2 workers", "engine, 3 workers", "engine, 2 workers, no marks", "guide",
            "guide on init's staging",
          ] + statement + ["ON CONFLICT", "ON CONFLICT, 3 connections", "floor"]
        )
      }
      #expect(try databases(cluster) == ["postgres"])
    }
  }

  @Test func `the figures are those of the rows that the workload says`() async throws {
    try await PrivateCluster.with { cluster async throws in
      let report = try await bench(cluster) { options in
        options.rowCount = 1000
        options.repetitions = 2
        options.workloads = [.mixed]
        options.contenderFilter = ["1 worker", "no marks", "floor"]
      }
      let workload = try #require(report.workloads.first)
      #expect(workload.contenders.allSatisfy { $0.measurements.count == 2 })
      // 700 of 1,000 rows are written, 400 of them over old ones; marks make every staging row a dead one too.
      #expect(workload.contenders.map(\.deadTuples) == [1400, 400, 400])
      let engine = try #require(workload.contender("engine, 1 worker"))
      let unmarked = try #require(workload.contender("engine, 2 workers, no marks"))
      #expect(engine.walBytes > unmarked.walBytes)
      #expect(engine.clientPeakBytes.map { $0 > 1_000_000 } ?? true)
      #expect(engine.clientCPUSeconds.map { $0 > 0 } == true)
      #expect(workload.contender("floor")?.clientCPUSeconds == nil)
    }
  }

  @Test func `a database that merely has the name is left alone`() async throws {
    try await PrivateCluster.with { cluster async throws in
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
    try await PrivateCluster.with { cluster async throws in
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
