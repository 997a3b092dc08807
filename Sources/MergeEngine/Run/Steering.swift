import Libpq
import Logging

/// What hands out a run's batches, and can be told how.
protocol Steerable: AnyObject {
  /// No batch has more rows than this from now on; nil for no limit beyond what the run was begun with.
  func limitBatches(to rowCount: Int?)
  /// So many workers take batches from now on.
  func expectWorkers(_ count: Int)
}

/// Has a run do what it is asked to from other terminals, and says in the admin tables whether it is paused.
///
/// Asked for on the control connection, between two batches: what a run was asked while its connection was lost is still
/// there when it has another one.
final class Steering {
  private let controls: RunControls
  private let pressure: Pressure
  /// Of runs that find out by themselves how many workers pay.
  private let growth: WorkerGrowth?
  private let queue: any Steerable
  private let stop: StopSignal
  private let logger: Logger
  private var askedAt: ContinuousClock.Instant?
  /// A pause that was asked for and is not said to be done before nothing is under way.
  private var pauses: [Int] = []
  private var notedReason: String?

  /// How often it is asked. Arbitrary: a person waits for the answer.
  private static let interval = Duration.seconds(1)

  init(
    runID: Int,
    _ schemas: Schemas,
    _ pressure: Pressure,
    _ queue: any Steerable,
    growth: WorkerGrowth? = nil,
    stop: StopSignal,
    logger: Logger
  ) {
    controls = RunControls(runID: runID, admin: Identifier(schemas.admin))
    self.pressure = pressure
    self.growth = growth
    self.queue = queue
    self.stop = stop
    self.logger = logger
    // A new round begins with the limit that was asked for in the one before.
    if let rate = pressure.rate { queue.limitBatches(to: rate) }
  }

  /// Has threads carry the run's batches, and looks meanwhile after them and the control connection.
  ///
  /// - Parameters:
  ///   - count: how many begin.
  ///   - control: holds the run's locks.
  ///   - wantedCount: as of ``WorkerThreads``, as `body`.
  ///   - whileWaiting: called on this thread a few times a second.
  ///   - onRenewal: called when the control connection was lost and another one holds the locks.
  ///   - end: tells the workers that there is nothing more to do.
  /// - Returns: what ended the work too early, if anything did.
  func lead(
    _ count: Int,
    _ control: ControlConnection,
    growingTo wantedCount: () -> Int,
    whileWaiting: (Connection) throws(PostgresError) -> Void = { _ throws(PostgresError) in },
    onRenewal: () -> Void = {},
    end: @escaping @Sendable () -> Void,
    _ body: @escaping @Sendable (Int) throws -> Void
  ) -> (any Error)? {
    var controlError: (any Error)?
    let look = {
      guard controlError == nil else { return }
      do {
        let isRenewed = try control.beat { connection throws(PostgresError) in
          try self.look(connection)
          try whileWaiting(connection)
        }
        if isRenewed { onRenewal() }
      } catch {
        // Without its locks a run must not go on; the batches under way end first.
        controlError = error
        end()
      }
    }
    do {
      try WorkerThreads.run(count: count, growingTo: wantedCount, whileWaiting: look, onError: end, body)
      return controlError
    } catch {
      return error
    }
  }

  /// Looks at what may pause the run, and asks for what it is to do, if it is time to.
  func look(_ connection: Connection) throws(PostgresError) {
    try pressure.measure(connection)
    try note(connection)
    if !pauses.isEmpty, pressure.activeCount == 0 {
      try controls.take(pauses, connection)
      pauses = []
    }
    if let askedAt, .now - askedAt < Self.interval { return }
    askedAt = .now
    let entries = try controls.pending(connection).filter { !pauses.contains($0.id) }
    guard !entries.isEmpty else { return }
    for entry in entries {
      logger.info("asked to \(entry.request)", metadata: ["run": "\(controls.runID)"])
      apply(entry)
    }
    try controls.take(entries.map(\.id).filter { !pauses.contains($0) }, connection)
    if entries.contains(where: { $0.request == .stop }) { stop.request(signal: Self.interrupt) }
  }

  /// SIGINT: a run that is stopped ends as by Ctrl-C.
  private static let interrupt: Int32 = 2

  private func apply(_ entry: RunControls.Entry) {
    switch entry.request {
    case .pause:
      pressure.set(.control, true)
      pauses.append(entry.id)
    case .resume: pressure.set(.control, false)
    case .maxRowsPerSecond(let rows):
      pressure.limitRate(to: rows > 0 ? rows : nil)
      queue.limitBatches(to: rows > 0 ? rows : nil)
    case .workers(let count):
      growth?.end()
      pressure.limitWorkers(to: count)
      queue.expectWorkers(count)
    case .stop: break
    }
  }

  private func note(_ connection: Connection) throws(PostgresError) {
    let reason = pressure.pauseReason
    guard reason != notedReason else { return }
    try controls.note(pause: reason, connection)
    notedReason = reason
    logger.info("\(reason.map { "paused: \($0)" } ?? "continuing")", metadata: ["run": "\(controls.runID)"])
  }
}
