import Libpq
import Logging

/// The connection that a run is recorded on and that holds its locks, made again when it is lost.
final class ControlConnection {
  private(set) var current: Connection {
    didSet { reach = stop.coverPatiently(current) }
  }
  /// What it does ends when somebody asks to stop, if it does not end by itself.
  private var reach: StopSignal.Reach
  /// The server's side of ``current``.
  private var backend: Backend
  private let session: Session
  private let retries: RetryPolicy
  private let stop: StopSignal
  private let logger: Logger
  /// What the run holds as soon as it has begun.
  private var held: (locks: RunLocks, runID: Int)?
  private var lastBeat = ContinuousClock.now

  /// How often the connection is looked at. Arbitrary: a lost lock should not stay lost for long.
  private static let beatInterval = Duration.seconds(2)
  /// How often a session that is about to end is asked for its locks. Arbitrary.
  private static let lockPauseSeconds = 0.2

  /// - Throws: ``MergeFailure/unreachable(_:)``.
  init(_ session: Session, _ retries: RetryPolicy, stop: StopSignal) throws {
    self.session = session
    self.retries = retries
    self.stop = stop
    logger = session.logger
    current = try session.reachControl()
    reach = stop.coverPatiently(current)
    backend = Backend(of: current)
  }

  /// Does what has to be done before a run is opened; from the beginning again when a connection is lost on the way, for as
  /// long as the run would wait for one.
  ///
  /// - Throws: what `work` throws but for lost connections; `CancellationError` when somebody asks to stop.
  func patiently<Value>(_ work: (Connection) throws -> Value) throws -> Value {
    var deadline: ContinuousClock.Instant?
    var attempt = 0
    while true {
      do {
        return try work(current)
      } catch {
        guard stop.signal == nil else { throw CancellationError() }
        let isLost = current.isBroken || (error as? PostgresError)?.origin == .connectionLost
        let end = deadline ?? .now + .seconds(retries.reconnectLimitSeconds)
        deadline = end
        guard isLost, .now < end else { throw error }
        attempt += 1
        logger.warning("connection lost; starting again", metadata: ["reason": "\(error)"])
        stop.sleep(seconds: retries.waitSeconds(afterAttempt: attempt))
        _ = try renewIfLost()
      }
    }
  }

  /// From now on a new connection takes these locks again.
  func hold(_ locks: RunLocks, runID: Int) {
    held = (locks, runID)
  }

  /// Does what is to be done on the connection, looks now and then whether it still lives, and renews it with its
  /// locks if not.
  ///
  /// - Returns: whether it had to be renewed.
  /// - Throws: what `work` throws but for a lost connection, and as ``renewIfLost()``.
  func beat(_ work: (Connection) throws(PostgresError) -> Void) throws -> Bool {
    do throws(PostgresError) {
      try work(current)
    } catch {
      guard current.isBroken else { throw error }
      return try renewIfLost()
    }
    guard ContinuousClock.now - lastBeat > Self.beatInterval else { return false }
    lastBeat = .now
    return try renewIfLost()
  }

  /// Makes sure that the connection works.
  ///
  /// - Returns: whether it had to be renewed.
  /// - Throws: ``MergeFailure/busy(table:by:)`` when another merge has taken a table meanwhile,
  ///   ``MergeFailure/unreachable(_:)`` when the server can't be reached again in time.
  func renewIfLost() throws -> Bool {
    if !current.isBroken, (try? current.execute("SELECT 1", "checking the connection")) != nil { return false }
    logger.warning("control connection lost, reconnecting")
    let deadline = ContinuousClock.now + .seconds(retries.reconnectLimitSeconds)
    let lost = backend
    while true {
      let connect = { () throws(PostgresError) in try self.session.connectControl().requirePrimary() }
      // A signal nobody gives: the run has to be closed even if somebody has asked to stop.
      guard let renewed = try retries.connectPatiently(StopSignal(), connect) else { return false }
      do throws(any Error) {
        current = renewed
        backend = Backend(of: renewed)
        try takeLocks(from: lost, until: deadline)
        return true
      } catch let error as PostgresError {
        guard renewed.isBroken else { throw error }
        guard ContinuousClock.now < deadline else { throw MergeFailure.unreachable(error) }
      }
    }
  }

  /// Takes the run's locks again. The session that had them may not have noticed yet that its client is gone; it is
  /// ended, and waited for. Locks that anybody else holds are not waited for.
  private func takeLocks(from lost: Backend, until deadline: ContinuousClock.Instant) throws {
    guard let held else {
      // Nothing is held yet but locks on tables, which go with the session.
      while try lost.end(through: current), stop.signal == nil, .now < deadline {
        stop.sleep(seconds: Self.lockPauseSeconds)
      }
      return
    }
    var wasThere = true
    while true {
      let isThere = try lost.end(through: current)
      do {
        try held.locks.takeTables(current)
        return try RunLocks.takeRun(held.runID, admin: Identifier(session.schemas.admin), current)
      } catch let busy as MergeFailure {
        // Whoever asks to stop need not wait for locks. One more look after the session is gone: it may have gone
        // between the two statements.
        if stop.signal != nil { return }
        guard isThere || wasThere, ContinuousClock.now < deadline else { throw busy }
        wasThere = isThere
        stop.sleep(seconds: Self.lockPauseSeconds)
      }
    }
  }
}
