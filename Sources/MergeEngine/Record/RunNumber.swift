import Libpq

/// The number of a new run: one that no record of an earlier run bears.
///
/// Numbers come from the sequence of `merge_summary`, which begins again when somebody empties that table with RESTART IDENTITY,
/// makes it anew or sets the sequence back. The other records know nothing of that: what two runs of one number have done would be
/// added up, and taken back together. So the sequence is drawn on until it is past all that is on record.
enum RunNumber {
  /// Begins a transaction with a run's row in `merge_summary`; the caller commits it.
  ///
  /// No number is given twice: each is drawn from the sequence, so that two runs that find it set back at the same time have
  /// different ones. Of tables that have many rows of a run only the last ones are read.
  ///
  /// - Parameters:
  ///   - columns: those of the row but for its id.
  ///   - values: their values.
  /// - Returns: the run's number.
  static func open(
    _ admin: Identifier,
    columns: SQL,
    values: SQL,
    _ parameters: [Parameter],
    _ connection: Connection
  ) throws(PostgresError) -> Int {
    var tables = AdminTables.all.filter { $0.columns.contains("run_id integer") }
    var mayReadAll = true
    while true {
      try connection.beginWithNext(operation)
      do throws(PostgresError) {
        // A number that `merge_summary` itself has is no error, but one more that is taken.
        let row = try connection.query(
          """
          WITH added AS (
            INSERT INTO \(admin).merge_summary (\(columns)) VALUES (\(values)) ON CONFLICT DO NOTHING RETURNING id::bigint
          )
          SELECT (SELECT id FROM added), coalesce(max(k.number), 0), \(outlivesCrash) FROM (\(numbers(tables, admin))) AS k (number)
          """,
          parameters,
          operation
        )
        let (number, highest) = (row.integer(0, 0), row.integer(0, 1) ?? 0)
        if let number, number > highest { return number }
        try connection.execute("ROLLBACK", operation)
        try draw(highest - (number ?? 0), admin, connection)
      } catch {
        guard error.sqlState == .insufficientPrivilege, mayReadAll else { throw error }
        try connection.execute("ROLLBACK", operation)
        let readable = try readable(tables.map(\.name), admin, connection)
        tables.removeAll { !readable.contains($0.name) }
        mayReadAll = false
      }
    }
  }

  /// Has the transaction that opens or closes a run wait for the disk whatever the database has: a run that a crash takes back while its
  /// client goes on would be nobody's, and a success that it takes back was none.
  static let outlivesCrash: SQL =
    "(SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off')"

  private static let operation = "opening the run"

  /// So many of the last rows are read of a table that has one for each batch, or refused row: of more runs they are not at once.
  /// Arbitrary.
  private static let rowLimit = 1000

  private static func numbers(_ tables: [AdminTables.Table], _ admin: Identifier) -> SQL {
    let others = tables.map { table -> SQL in
      let name: SQL = "\(admin).\(Identifier(table.name))"
      guard table.hasManyRows else { return "SELECT max(run_id)::bigint FROM \(name)" }
      return "SELECT max(r.run_id)::bigint FROM (SELECT run_id FROM \(name) ORDER BY id DESC LIMIT \(rowLimit)) AS r"
    }
    return (["SELECT max(id)::bigint FROM \(admin).merge_summary"] + others).joined(" UNION ALL ")
  }

  /// The tables that this role may read: some it needs no more than to write.
  private static func readable(_ names: [String], _ admin: Identifier, _ connection: Connection)
    throws(PostgresError) -> [String]
  {
    let rows = try connection.query(
      """
      SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname::text = ANY ($2) AND has_table_privilege(c.oid, 'SELECT')
      """,
      [.text(admin.name), .textArray(names)],
      "looking for the records of earlier runs"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  /// Draws numbers that nobody will bear: a sequence doesn't take back what a transaction that was rolled back has drawn. Whoever
  /// may write a run can do that, wherever the table has its numbers from.
  private static func draw(_ count: Int, _ admin: Identifier, _ connection: Connection) throws(PostgresError) {
    try connection.execute(
      """
      BEGIN;
      INSERT INTO \(admin).merge_summary (status) SELECT 'RUNNING' FROM generate_series(1, \(count)) ON CONFLICT DO NOTHING;
      ROLLBACK
      """,
      "passing the numbers of earlier runs"
    )
  }
}
