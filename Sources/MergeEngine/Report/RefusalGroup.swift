import Libpq

/// Refused rows of one table that the server refused for the same reason.
package struct RefusalGroup: Sendable, Codable {
  /// The table's plain name.
  package let table: String
  /// The server's code; empty if there was none.
  package let sqlState: String
  /// The server's message.
  package let message: String
  /// How many rows.
  package let count: Int
  /// How many of them were retried since, or are gone from staging.
  package let retriedCount: Int
  /// How many of them were dismissed since.
  package let dismissedCount: Int
  /// Keys of some of them, as `id 7`, in the order in which they were refused.
  package let sampleKeys: [String]

  /// Reasons in a report at most. Arbitrary: messages that quote a value make a reason of every row.
  static let limit = 50

  /// - Returns: the groups with most rows, and how many groups there are.
  static func read(
    _ run: Int,
    sampleKeyCount: Int = 5,
    _ admin: Identifier,
    _ connection: Connection
  ) throws(PostgresError) -> (groups: [RefusalGroup], total: Int) {
    let rows = try connection.query(
      """
      SELECT table_name, coalesce(sqlstate, ''), coalesce(message, ''), count(*), count(retried_at),
             array_to_json(array_agg(key ORDER BY id) FILTER (WHERE position <= $2))::text, count(*) OVER (),
             count(*) FILTER (WHERE retried_at IS NULL AND (to_jsonb(e) ->> 'dismissed_at') IS NOT NULL)
      FROM (SELECT *, row_number() OVER (PARTITION BY table_name, sqlstate, message ORDER BY id) AS position,
                   (SELECT string_agg(concat(k.key, ' ', k.value), ', ') FROM jsonb_each_text(row_key::jsonb) AS k) AS key
            FROM \(admin).merge_errors
            WHERE run_id = $1) AS e
      GROUP BY table_name, sqlstate, message
      ORDER BY count(*) DESC, table_name, sqlstate, message
      LIMIT \(limit)
      """,
      [.bigint(run), .bigint(sampleKeyCount)],
      "reading the refused rows of run \(run)"
    )
    let groups = (0..<rows.count).map { row in
      RefusalGroup(
        table: rows.text(row, 0) ?? "",
        sqlState: rows.text(row, 1) ?? "",
        message: rows.text(row, 2) ?? "",
        count: rows.integer(row, 3) ?? 0,
        retriedCount: rows.integer(row, 4) ?? 0,
        dismissedCount: rows.integer(row, 7) ?? 0,
        sampleKeys: JSONText.decode([String?].self, rows.text(row, 5))?.compactMap(\.self) ?? []
      )
    }
    return (groups, rows.count > 0 ? rows.integer(0, 6) ?? 0 : 0)
  }

  /// How many refused rows of a run's tables stand, whichever run refused them: still there, and neither retried nor dismissed.
  static func standingCount(_ run: Int, _ admin: Identifier, _ connection: Connection) throws(PostgresError) -> Int {
    // Tables of an earlier version have no column for the schema, and none for a dismissal.
    let schema: SQL = "->> 'production_schema'"
    return try connection.query(
      """
      SELECT count(*) FROM \(admin).merge_errors AS e
      WHERE e.retried_at IS NULL AND (to_jsonb(e) ->> 'dismissed_at') IS NULL AND \(RefusalStanding.isThere("$2"))
        AND EXISTS (SELECT FROM \(admin).merge_logs AS l
                    WHERE l.run_id = $1 AND l.table_name::text = e.table_name
                      AND coalesce((to_jsonb(l) \(schema)), '') = coalesce((to_jsonb(e) \(schema)), ''))
      """,
      [.bigint(run), try RefusalStanding(admin: admin, production: connection, staging: connection).goneParameter()],
      "counting the refused rows that stand"
    ).integer(0, 0) ?? 0
  }
}
