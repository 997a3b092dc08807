import Libpq
import Logging

/// The connection that a run is recorded on and that holds its locks, made again when it is lost.
final class ControlConnection {
  private(set) var current: Connection
  private let session: Session
  private let retries: RetryPolicy
  private let stop: StopSignal
  private let logger: Logger
  /// What the run holds as soon as it has begun.
  private var held: (locks: RunLocks, runID: Int)?
  private var lastBeat = ContinuousClock.now

  /// How often the connection is looked at. Arbitrary: a lost lock should not stay lost for long.
  private static let beatInterval = Duration.seconds(2)

  /// - Throws: ``MergeFailure/unreachable(_:)``.
  init(_ session: Session, _ retries: RetryPolicy, _ stop: StopSignal) throws {
    self.session = session
    self.retries = retries
    self.stop = stop
    logger = session.logger
    current = try Reaching.database { () throws(PostgresError) in try session.connectControl() }
  }

  /// From now on a new connection takes these locks again.
  func hold(_ locks: RunLocks, runID: Int) {
    held = (locks, runID)
  }

  /// Looks now and then whether the connection still lives, and renews it with its locks if not.
  ///
  /// - Returns: whether it had to be renewed.
  /// - Throws: ``MergeFailure/busy(table:)`` when another merge has taken a table meanwhile, ``MergeFailure``
  ///   when the server can't be reached again in time.
  func beat() throws -> Bool {
    guard ContinuousClock.now - lastBeat > Self.beatInterval else { return false }
    lastBeat = .now
    return try renewIfLost()
  }

  /// Makes sure that the connection works.
  ///
  /// - Returns: whether it had to be renewed.
  func renewIfLost() throws -> Bool {
    if !current.isBroken, (try? current.execute("SELECT 1", "looking after the connection")) != nil { return false }
    logger.warning("control connection lost, connecting again")
    // A signal nobody gives: the run has to be closed even if somebody has asked to stop.
    let connect = { () throws(PostgresError) in try self.session.connectControl() }
    guard let renewed = try retries.connectPatiently(StopSignal(), connect) else { return false }
    current = renewed
    guard let held else { return true }
    try held.locks.takeTables(renewed)
    try RunLocks.takeRun(held.runID, renewed)
    return true
  }
}
