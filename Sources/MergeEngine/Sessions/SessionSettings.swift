import Libpq

/// What a session of ours has set otherwise than role and database say.
///
/// Only what the database's own code does not see or does not depend on: how long things may take, how plans are made. The
/// search_path, TimeZone, DateStyle and the like stay as they are, since triggers, defaults, checks and casts rely on them;
/// our own statements say what they need.
struct SessionSettings {
  private var values: [(name: String, value: String)] = []

  /// How long a session may hold locks while its client says nothing: stopped, or at the other end of a line that was cut.
  /// With a statement's own time less than the 30 s that the contract speaks of.
  static let silentClientSeconds = 20

  private init(_ values: [(String, String)]) {
    self.values = values.map { (name: $0.0, value: $0.1) }
  }

  static func + (left: SessionSettings, right: SessionSettings) -> SessionSettings {
    var sum = left
    sum.values += right.values
    return sum
  }

  /// What every session has.
  ///
  /// - Parameter waitsForOthers: the client leaves a transaction idle while it waits for something else.
  static func limits(
    lockTimeoutMilliseconds: Int,
    statementTimeoutMilliseconds: Int,
    waitsForOthers: Bool,
    serverVersion: Int
  ) -> SessionSettings {
    var settings = SessionSettings([
      ("client_min_messages", "warning"),
      // Off, for clients of the nineties, a NULL within an array that travels as text would arrive as the string "NULL".
      ("array_nulls", "on"),
      // Set to document, the binary form of a piece of XML would be refused that the column itself takes.
      ("xmloption", "content"),
      // On, a type would be called otherwise than in another session's record of it.
      ("quote_all_identifiers", "off"),
      // What asks the ledger or the catalog about one table of many looks dear to the planner, and takes less than to compile it.
      ("jit", "off"),
      ("default_transaction_isolation", "read committed"),
      ("statement_timeout", "\(statementTimeoutMilliseconds)"),
      ("lock_timeout", "\(lockTimeoutMilliseconds)"),
      ("idle_session_timeout", "0"),
      ("idle_in_transaction_session_timeout", waitsForOthers ? "0" : "\(silentClientSeconds)s"),
    ])
    if serverVersion >= 170_000 { settings.values.append(("transaction_timeout", "0")) }
    return settings
  }

  /// The server refuses every write. Never the other way: a role that is kept from writing is kept from it on purpose.
  static let readOnly = SessionSettings([("default_transaction_read_only", "on")])

  /// What a policy of row-level security hides is an error (42501, of the server's `rls.c`) instead of rows that are not there: a count
  /// would be wrong, and a child that refers to a row unseen. Not for sessions in which the database's own triggers run.
  static let allRows = SessionSettings([("row_security", "off")])

  /// For a session that role or database gave no time to be set up: limits that it begins with, as libpq's `options`.
  static func startOptions(serverVersion: Int) -> String {
    let limits =
      ["statement_timeout", "idle_session_timeout"] + (serverVersion >= 170_000 ? ["transaction_timeout"] : [])
    return limits.map { "-c \($0)=0" }.joined(separator: " ")
  }

  /// Has the server notice that a client is gone without a word, in the middle of a statement too: until then the session
  /// holds its locks. Operating systems wait for two hours by themselves, and not every one can do all of this.
  static let silence = SessionSettings([
    ("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "2"),
    ("tcp_user_timeout", "\(silentClientSeconds)s"), ("client_connection_check_interval", "10s"),
  ])

  /// The statements of probe and apply join a batch with production by production's primary key. Without these
  /// settings the planner, which knows nothing of a temporary table or an array parameter, may hash all of production
  /// (2.3 s for 4M rows), or merge-join it from its first row on, batch after batch. What is left is the nested loop
  /// over the index, which nobody's defaults may take away; nor the scan of staging's blocks. A batch is too small for parallel
  /// plans to pay.
  static let batches = SessionSettings([
    ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("enable_seqscan", "off"), ("enable_bitmapscan", "off"),
    ("enable_nestloop", "on"), ("enable_indexscan", "on"), ("enable_indexonlyscan", "on"), ("enable_tidscan", "on"),
    ("max_parallel_workers_per_gather", "0"),
  ])

  /// Values that travel as text come out as they can be read again whatever is set where they go in.
  ///
  /// The order of day and month stays what the database has: text of its own is read by it.
  static let readableText = SessionSettings([
    ("DateStyle", "ISO"), ("IntervalStyle", "postgres"), ("extra_float_digits", "1"), ("bytea_output", "hex"),
  ])

  /// Different values are different texts.
  static let distinctText = SessionSettings([("extra_float_digits", "1")])

  /// Sets all of it, in one statement that does nothing in a session which is not the connection's own.
  ///
  /// - Parameter purpose: whether commits return before they are on disk, where they would wait for the disk and no more. A
  ///   batch's rows, marks and counts commit together, so that a crash of the server loses whole batches, which the next run
  ///   takes again, and the run's own last commit waits. Whoever has set anything else than `on` has reasons.
  /// - Returns: whether the session is its own. A pooler hands out others' sessions, which would keep what is set here, and
  ///   tells the client a process id of its own making.
  func apply(to connection: Connection, _ purpose: Session.Purpose) throws(PostgresError) -> Bool {
    let answer = try connection.query(
      """
      SELECT count(set_config(s.name, s.value, false)),
             (SELECT extract(epoch FROM backend_start)::text FROM pg_stat_activity WHERE pid = $4)
      FROM (SELECT name, value FROM unnest($1::text[], $2::text[]) AS g (name, value)
            UNION ALL
            SELECT 'synchronous_commit', 'off' WHERE $3 AND current_setting('synchronous_commit') = 'on'
            UNION ALL
            SELECT 'synchronous_commit', 'local' WHERE $5 AND current_setting('synchronous_commit') = 'off') AS s
      WHERE pg_backend_pid() = $4
      """,
      [
        .textArray(values.map(\.name)), .textArray(values.map(\.value)), .bool(purpose.lowersCommits),
        .integer(Int32(truncatingIfNeeded: connection.backendProcessID)), .bool(purpose.raisesCommits),
      ],
      "setting up the session"
    )
    connection.sessionStart = answer.text(0, 1)
    return (answer.integer(0, 0) ?? 0) > 0
  }
}
