import Libpq
import Logging

/// Keeps the merge from pressing production too hard: a rate for all workers together, and pauses while standbys lag.
final class Pressure: Sendable {
  private struct State {
    /// When the rows read so far may be followed by more.
    var paidUntil = ContinuousClock.now
    /// True until the standbys have been asked for the first time, where that is wanted.
    var isPaused: Bool
    var measuredAt: ContinuousClock.Instant?
    var hasVanished = false
  }

  private let monitor: Monitor<State>
  private let maxRowsPerSecond: Int?
  private let maxLagSeconds: Double?
  private let replica: String?
  private let stop: StopSignal
  private let logger: Logger

  /// How often standbys are asked. Arbitrary: the lag that `pg_stat_replication` shows is about as old.
  private static let measureInterval = Duration.seconds(1)

  init(_ options: MergeOptions, _ stop: StopSignal, _ logger: Logger) {
    self.logger = logger
    maxRowsPerSecond = options.maxRowsPerSecond
    maxLagSeconds = options.maxReplicaLagSeconds.map(Double.init)
    replica = options.replica
    self.stop = stop
    monitor = Monitor(State(isPaused: options.maxReplicaLagSeconds != nil))
  }

  /// Waits as long as the rows of a batch are worth at the wanted rate.
  func spend(rowCount: Int) {
    guard let maxRowsPerSecond else { return }
    let price = Duration.seconds(Double(rowCount) / Double(maxRowsPerSecond))
    let paidUntil = monitor.update { state in
      state.paidUntil = max(state.paidUntil, .now) + price
      return state.paidUntil
    }
    stop.sleep(seconds: (paidUntil - .now) / .seconds(1))
  }

  /// Waits while a standby is too far behind, or until the run is over without having caught up.
  func waitForStandbys(unless isOver: () -> Bool) {
    while stop.signal == nil, !isOver(), monitor.update({ $0.isPaused }) { stop.sleep(seconds: 0.1) }
  }

  /// Asks how far the standbys are behind, if it is time to.
  func measure(_ connection: Connection) throws(PostgresError) {
    guard let maxLagSeconds else { return }
    let isDue = monitor.update { state in state.measuredAt.map { .now - $0 > Self.measureInterval } ?? true }
    guard isDue else { return }
    let lagSeconds = try ReplicaLag.seconds(connection, replica: replica)
    let hasVanished = monitor.update { state in
      defer { state.hasVanished = lagSeconds == .infinity }
      state.measuredAt = .now
      state.isPaused = lagSeconds > maxLagSeconds
      return lagSeconds == .infinity && !state.hasVanished
    }
    guard hasVanished, let replica else { return }
    logger.warning("the standby is gone, waiting for it", metadata: ["replica": "\(replica)"])
  }
}

/// How far the furthest standby is behind.
enum ReplicaLag {
  /// `replay_lag` stays as it was when a standby falls silent; then the age of its last word counts.
  private static let query: SQL = """
    SELECT count(*),
           coalesce(max(extract(epoch FROM greatest(
             replay_lag,
             CASE WHEN replay_lsn < pg_current_wal_lsn() THEN clock_timestamp() - reply_time END))), 0)::float8,
           count(*) FILTER (WHERE state IS NULL), count(*) FILTER (WHERE state IS NOT NULL AND replay_lsn IS NULL)
    FROM pg_stat_replication
    WHERE $1::text IS NULL OR application_name = $1
    """

  /// - Returns: infinity when the standby that was named is not connected: nobody can say what it has.
  static func seconds(_ connection: Connection, replica: String?) throws(PostgresError) -> Double {
    let result = try connection.query(query, [.text(replica)], "asking how far standbys are behind")
    if replica != nil, result.integer(0, 0) == 0 { return .infinity }
    return result.double(0, 1) ?? 0
  }

  /// - Returns: why the lag can't be seen; nil if it can.
  static func obstacle(_ connection: Connection, replica: String?) throws(PostgresError) -> String? {
    let result = try connection.query(query, [.text(replica)], "asking how far standbys are behind")
    let count = result.integer(0, 0) ?? 0
    if let replica, count == 0 { return "there is no standby whose application_name is \(replica)" }
    // Without the right to see it every column of a standby is NULL, its state among them.
    if let hidden = result.integer(0, 2), hidden > 0 {
      return "this role may not see how far standbys are behind; grant it pg_monitor"
    }
    // pg_receivewal and its like keep WAL without replaying it. Among others they don't count.
    if let replica, result.integer(0, 3) == count {
      return "\(replica) does not say what it has replayed; name a standby that replays, or none"
    }
    return nil
  }
}
