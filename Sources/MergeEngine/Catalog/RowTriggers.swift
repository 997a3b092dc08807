import Libpq

/// Triggers of a table, by what they may do: change a row on its way, put it elsewhere, swallow it, write other rows.
struct RowTriggers: Sendable {
  /// One runs for each row before INSERT, of the table or of a partition.
  var onInsert = false
  /// One runs for each row before UPDATE.
  var onUpdate = false
  /// One runs after INSERT or UPDATE, for each row or once a statement.
  var runAfterwards = false
  /// One of these may run as late as at the commit.
  var runDeferred = false
  /// One runs on INSERT, UPDATE or DELETE, whenever that is.
  var runAtAll = false
  /// There is one on INSERT, UPDATE or DELETE, though it may be disabled now.
  var exist = false
  /// The table has children by INHERITS, which a trigger may put its rows into.
  var hasChildren = false
  /// The table's foreign keys that nothing checks, since their own triggers are disabled; nil where there are none.
  var uncheckedReferences: String?
  /// A foreign key to the table takes from rows what they refer to when that is updated: SET NULL, SET DEFAULT.
  var takesReferences = false

  /// Rows may be elsewhere, or nowhere, after they were written. What a trigger does once before a statement is done to rows as they
  /// were, as by anybody else.
  var mayMisplace: Bool { onInsert || onUpdate || runAfterwards }

  /// Nobody stands between a statement and its rows.
  static let none = RowTriggers()

  /// What is asked about some tables.
  static func query(_ tables: [UInt32]) -> Query {
    Query(
      """
      WITH RECURSIVE tree AS (
        SELECT t.oid AS root, t.oid FROM unnest($1::oid[]) AS t (oid)
        UNION ALL
        SELECT tree.root, i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      )
      -- ROW is 1, BEFORE 2, INSERT 4, DELETE 8, UPDATE 16 (pg_trigger.h).
      SELECT tree.root, coalesce(bool_or(t.is_enabled AND t.type & 7 = 7), false),
             coalesce(bool_or(t.is_enabled AND t.type & 19 = 19), false),
             bool_or(c.relkind = 'r' AND NOT c.relispartition AND tree.oid <> tree.root),
             coalesce(bool_or(t.is_enabled AND t.type & 2 = 0 AND t.type & 20 <> 0), false),
             coalesce(bool_or(t.is_enabled AND t.type & 28 <> 0), false),
             coalesce(bool_or(t.type & 28 <> 0), false),
             coalesce(bool_or(t.is_enabled AND t.is_deferrable AND t.type & 2 = 0 AND t.type & 20 <> 0), false),
             string_agg(DISTINCT t.unchecked, ', '), coalesce(bool_or(t.takes), false)
      FROM tree
      JOIN pg_class c ON c.oid = tree.oid
      -- Those of constraints are of no type here, and without the session's role, which switches all of them off and is told of by itself.
      LEFT JOIN (SELECT g.tgrelid, CASE WHEN g.tgisinternal THEN 0 ELSE g.tgtype::integer END AS type, g.tgenabled <> 'D' AS is_enabled,
                        g.tgdeferrable AS is_deferrable,
                        CASE WHEN f.conrelid = g.tgrelid AND g.tgenabled NOT IN ('O', 'A') THEN f.conname::text END AS unchecked,
                        f.confrelid = g.tgrelid AND g.tgenabled IN ('O', 'A') AND f.confupdtype IN ('n', 'd') AS takes
                 FROM pg_trigger AS g
                 LEFT JOIN pg_constraint AS f
                   ON f.oid = g.tgconstraint AND f.contype = 'f' AND current_setting('session_replication_role') <> 'replica'
                ) AS t ON t.tgrelid = tree.oid
      GROUP BY tree.root
      """,
      [.oidArray(tables)],
      "reading the triggers of production"
    )
  }

  /// Those of some tables, by oid.
  static func read(of tables: [UInt32], _ connection: Connection) throws(PostgresError) -> [UInt32: RowTriggers] {
    let rows = try connection.query(query(tables))
    return Dictionary(
      (0..<rows.count).map { row in
        (
          UInt32(rows.integer(row, 0) ?? 0),
          RowTriggers(
            onInsert: rows.bool(row, 1) == true,
            onUpdate: rows.bool(row, 2) == true,
            runAfterwards: rows.bool(row, 4) == true,
            runDeferred: rows.bool(row, 7) == true,
            runAtAll: rows.bool(row, 5) == true,
            exist: rows.bool(row, 6) == true,
            hasChildren: rows.bool(row, 3) == true,
            uncheckedReferences: rows.text(row, 8),
            takesReferences: rows.bool(row, 9) == true
          )
        )
      }
    ) { first, _ in first }
  }
}
