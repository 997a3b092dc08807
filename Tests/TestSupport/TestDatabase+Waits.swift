import Foundation

/// Waiting for what the server reports.
extension TestDatabase {
  /// Waits until a condition holds. A minute is arbitrary; it only ends a test that would wait for ever.
  public func wait(for condition: String) async throws {
    try await eventually(condition) { try holds(condition) ? () : nil }
  }

  /// Waits until all transactions of the server have ended that are under way: what is there now was then written before, also for
  /// who goes by the oldest transaction that runs, in whatever test's database.
  public func letOlderTransactionsEnd() async throws {
    let now = try count("pg_current_xact_id()::text::bigint")
    try await wait(for: "pg_snapshot_xmin(pg_current_snapshot())::text::bigint > \(now)")
  }

  /// A condition: a session of this database waits for a lock.
  public static let somebodyWaitsForALock = """
    EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
              AND \(isNoRehearsal))
    """

  /// Before a run is opened its statements are rehearsed, and that waits for a lock for a moment only.
  public static let isNoRehearsal = "query NOT LIKE 'EXPLAIN%'"

  /// A condition: a session of this database sleeps in a trigger.
  public static let somebodySleeps =
    "EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')"

  /// Has sessions that connect from now on wait an hour before they look for a deadlock, so that a batch of
  /// `--max-lock-time 600000` waits whole for five minutes, where others would be divided.
  public func letBatchesWait() throws {
    try run(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = %L', current_database(), '1h'); END $$"
    )
  }

  /// Waits until the server has noticed that the sessions of a killed program are gone.
  public func waitForTheEndOfAllSessions() async throws {
    try await wait(
      for: """
        NOT EXISTS (SELECT FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'merge-engine%')
        """
    )
  }
}

/// What a test waited for did not come.
public struct WaitedInVain: Error, CustomStringConvertible {
  /// What it was.
  public let description: String
}

/// Asks until there is an answer, for a minute at most: only a test that would fail waits that long.
public func eventually<Value>(_ what: String, _ ask: () throws -> Value?) async throws -> Value {
  let deadline = ContinuousClock.now + .seconds(60)
  while true {
    if let value = try ask() { return value }
    guard .now < deadline else { throw WaitedInVain(description: "\(what) did not come within a minute") }
    try await Task.sleep(for: .milliseconds(10))
  }
}
