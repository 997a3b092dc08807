import Libpq

/// How long a batch may hold locks on rows of production, from its first write to the end of its commit.
///
/// CDC must never wait long for the merge, and never be the one that a deadlock ends: whoever waits for less than
/// `deadlock_timeout` does not even look for one. So each statement runs under what is left of the time, waits for locks
/// under half of it, and what does not fit is rolled back and divided.
struct LockBudget {
  /// nil for no limit: single rows, which take what they take, and runs in one transaction.
  let limit: Duration?
  /// How long a lock is waited for at most, if that is limited beyond ``limit``.
  let waitLimit: Duration?
  private(set) var startedAt: ContinuousClock.Instant?

  init(_ limit: Duration?, waitLimit: Duration? = nil) {
    self.limit = limit
    self.waitLimit = waitLimit
  }

  /// What the server says of its patience.
  static var deadlockTimeout: Query {
    Query(
      "SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)::float8",
      "reading deadlock_timeout"
    )
  }

  /// Half of the time after which a session that waits looks for a deadlock: nobody who waits for us ever does.
  init(_ options: MergeOptions, _ control: Connection) throws(PostgresError) {
    let deadlock = try control.query(Self.deadlockTimeout).double(0, 0)
    let limits =
      [.milliseconds(options.maxLockMilliseconds), .seconds((deadlock ?? 1) / 2)]
      + Self.limit(options.statementTimeoutMilliseconds)
    self.init(limits.min(), waitLimit: Self.limit(options.lockTimeoutMilliseconds).first)
  }

  /// A time limit in whose terms 0 is none.
  private static func limit(_ milliseconds: Int) -> [Duration] { milliseconds > 0 ? [.milliseconds(milliseconds)] : [] }

  /// How long locks have been held.
  var held: Duration { startedAt.map { .now - $0 } ?? .zero }

  /// Which part of the time that locks may be held they have been; nil if there is no limit.
  var share: Double? { limit.map { held / $0 } }

  /// The first write waits for the server only now: nothing was locked before.
  mutating func restart() { startedAt = .now }

  /// Begins, just before the first write.
  mutating func start(on production: Connection) throws(PostgresError) {
    startedAt = startedAt ?? .now
    guard let limit else { return }
    let wait = min(limit / 2, waitLimit ?? limit)
    for setting in [
      "SET LOCAL lock_timeout = \(max(wait.milliseconds, 1))",
      "SET LOCAL statement_timeout = \(max(limit.milliseconds, 1))",
      "SET LOCAL idle_in_transaction_session_timeout = \(1000 * SessionSettings.silentClientSeconds)",
      "SELECT set_config('merge_engine.locked_at', (\(Self.serverMilliseconds))::text, true)",
    ] as [SQL] {
      try production.executeWithNext(setting, Self.operation)
    }
  }

  /// Has the next statement end when the time is up.
  func limitNext(on production: Connection) throws(PostgresError) {
    if let nextLimit { try production.executeWithNext(nextLimit.sql, nextLimit.operation) }
  }

  /// The statement behind ``limitNext(on:)``; nil where there is no limit. The server's clock says what is left, so that it may be
  /// sent before the time comes.
  var nextLimit: Companion? {
    guard let limit, startedAt != nil else { return nil }
    let left: SQL =
      "\(limit.milliseconds) - (\(Self.serverMilliseconds) - current_setting('merge_engine.locked_at')::bigint)"
    return Companion(
      "SELECT set_config('statement_timeout', least(greatest(\(left), 1), \(max(limit.milliseconds, 1)))::text, true)",
      Self.operation
    )
  }

  private static let serverMilliseconds: SQL = "(1000 * extract(epoch FROM clock_timestamp()))::bigint"
  private static let operation = "limiting how long a batch may hold locks"
}
