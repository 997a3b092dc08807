import Foundation
import Libpq
import MergeEngine

/// Merge throughput on a server: all contenders on all workloads, in turn and again.
///
/// ```
/// workload ─load─▶ template ─copy─▶ contender ─▶ measurement ─▶ report
///                      └──────── again for every contender and repetition
/// ```
public struct Bench: Sendable {
  private let target: ConnectionTarget
  private let options: BenchOptions
  private let stop: StopSignal

  /// How far a bench has come.
  public enum Progress: Sendable {
    /// A workload is being loaded.
    case loading(Workload)
    /// A contender has run.
    case measured(Workload, contender: String, repetition: Int, Measurement)
  }

  /// - Parameters:
  ///   - target: a database of the server to measure; nothing in it is touched.
  ///   - stop: ends the bench early.
  public init(target: ConnectionTarget, options: BenchOptions, stop: StopSignal) {
    self.target = target
    self.options = options
    self.stop = stop
  }

  /// Blocks the calling thread until everything is measured and the scratch databases are dropped.
  ///
  /// - Throws: ``MergeFailure``, ``BenchError``, ``PostgresError``; the scratch databases are dropped then too.
  public func run(onProgress: (Progress) -> Void = { _ in }) throws -> BenchReport {
    let startedAt = Date()
    let clock = ContinuousClock.now
    let databases = try ScratchDatabases(target)
    let result = Result { try measureAll(databases, since: clock, onProgress) }
    let server = Result { try databases.describeServer() }
    try databases.drop()
    if stop.signal != nil { throw BenchError.interrupted }
    return BenchReport(
      startedAt: startedAt,
      elapsedSeconds: (ContinuousClock.now - clock) / .seconds(1),
      rowCount: options.rowCount,
      engineVersion: EngineVersion.current,
      server: try server.get(),
      machine: .this,
      workloads: try result.get()
    )
  }

  private func measureAll(
    _ databases: ScratchDatabases,
    since clock: ContinuousClock.Instant,
    _ onProgress: (Progress) -> Void
  ) throws -> [BenchReport.WorkloadReport] {
    let connections = options.connections ?? 2 * ProcessInfo.processInfo.processorCount
    let contenders = Contender.all(connections: connections, serverVersionNumber: databases.serverVersionNumber)
      .filter { contender in
        options.contenderFilter?.contains { contender.name.localizedCaseInsensitiveContains($0) } ?? true
      }
    return try options.workloads.enumerated().map { index, workload in
      onProgress(.loading(workload))
      let course = try Course(workload, options, databases, stop)
      let share = Double(options.timeLimitMinutes * 60 * (index + 1)) / Double(options.workloads.count)
      var measurements = [[Measurement]](repeating: [], count: contenders.count)
      for repetition in 0..<options.repetitions {
        guard repetition == 0 || (ContinuousClock.now - clock) / .seconds(1) < share else { break }
        for turn in contenders.indices {
          // Each repetition begins with another one: whoever comes first may find a colder machine.
          let place = (turn + repetition) % contenders.count
          guard stop.signal == nil else { throw BenchError.interrupted }
          let measurement = try course.measure(contenders[place])
          measurements[place].append(measurement)
          onProgress(.measured(workload, contender: contenders[place].name, repetition: repetition + 1, measurement))
        }
      }
      return BenchReport.WorkloadReport(
        workload: workload,
        stagedRowCount: workload.stagedRowCount(options.rowCount),
        productionRowCount: workload.productionRowCount(options.rowCount),
        contenders: contenders.indices.map { place in
          BenchReport.ContenderReport(name: contenders[place].name, measurements: measurements[place])
        }
      )
    }
  }
}
