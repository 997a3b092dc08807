import Foundation
import Libpq
import MergeEngine

/// Merge throughput on a server: all contenders on all workloads, in turn and again.
///
/// ```
/// workload ─load─▶ template ─copy─▶ contender ─▶ measurement ─▶ report
///                      └──────── again for every contender and repetition
/// ```
package struct Bench: Sendable {
  private let target: ConnectionTarget
  private let options: BenchOptions
  private let stop: StopSignal
  private let socket: ServerSocket?

  /// How far a bench has come.
  package enum Progress: Sendable {
    /// A workload is being loaded.
    case loading(Workload)
    /// A contender has run.
    case measured(Workload, Contender, repetition: Int, Measurement)
  }

  /// - Parameters:
  ///   - target: a database of the server to measure; nothing in it is touched.
  ///   - socket: where the server listens; for workloads with a delay, which only a private server can be measured with.
  ///   - stop: ends the bench early.
  package init(target: ConnectionTarget, socket: ServerSocket? = nil, options: BenchOptions, stop: StopSignal) {
    self.target = target
    self.socket = socket
    self.options = options
    self.stop = stop
  }

  /// Blocks the calling thread until everything is measured and the scratch databases are dropped.
  ///
  /// - Throws: ``MergeFailure``, ``BenchError``, ``PostgresError``; the scratch databases are dropped then too.
  package func run(onProgress: (Progress) -> Void = { _ in }) throws -> BenchReport {
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
      parameters: BenchParameters(options),
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
    let order = RunOrder(seed: options.seed)
    var pace = Pace(options, since: clock)
    return try options.workloads.compactMap { workload in
      let contenders = try options.contenders(on: workload, serverVersionNumber: databases.serverVersionNumber)
      guard !contenders.isEmpty else { return nil }
      onProgress(.loading(workload))
      let proxy = try socket.flatMap { socket in
        try workload.delayMilliseconds.map { try DelayingProxy(server: socket, delay: .milliseconds($0)) }
      }
      defer { proxy?.close() }
      let course = try Course(workload, options: options, databases, through: proxy, stop: stop)
      var measurements = [[Measurement]](repeating: [], count: contenders.count)
      for repetition in 1...options.repetitions {
        guard pace.begin(workload, repetition: repetition) else { break }
        for place in order.places(contenders.count, workload, repetition: repetition) {
          guard stop.signal == nil else { throw BenchError.interrupted }
          let measurement = try course.measure(contenders[place])
          measurements[place].append(measurement)
          onProgress(.measured(workload, contenders[place], repetition: repetition, measurement))
        }
      }
      let size = WorkloadSize(workload, options)
      return BenchReport.WorkloadReport(
        workload: workload,
        stagedRowCount: size.stagedRowCount,
        productionRowCount: size.productionRowCount,
        contenders: contenders.indices.map { place in
          BenchReport.ContenderReport(contender: contenders[place], measurements: measurements[place])
        }
      )
    }
  }
}
