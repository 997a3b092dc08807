import Libpq
import Logging

/// Has a run do what it is asked to from other terminals, and says in the admin tables whether it is paused.
///
/// Asked for on the control connection, between two batches: what a run was asked while its connection was lost is still
/// there when it has another one.
final class Steering {
  private let controls: RunControls
  private let pressure: Pressure
  private let growth: WorkerGrowth
  private let queue: WorkQueue
  private let stop: StopSignal
  private let logger: Logger
  private var askedAt: ContinuousClock.Instant?
  /// A pause that was asked for and is not said to be done before nothing is under way.
  private var pauses: [Int] = []
  private var notedReason: String?

  /// How often it is asked. Arbitrary: a person waits for the answer.
  private static let interval = Duration.seconds(1)

  init(_ context: RunContext, _ queue: WorkQueue) {
    controls = RunControls(runID: context.record.id, admin: Identifier(context.schemas.admin))
    pressure = context.pressure
    growth = context.growth
    self.queue = queue
    stop = context.stop
    logger = context.logger
    // A new round begins with the limit that was asked for in the one before.
    if let rate = pressure.rate { queue.limitBatches(to: rate) }
  }

  /// Asks, if it is time to.
  func look(_ connection: Connection) throws(PostgresError) {
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
      growth.end()
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
    logger.info("\(reason.map { "paused: \($0)" } ?? "going on")", metadata: ["run": "\(controls.runID)"])
  }
}
