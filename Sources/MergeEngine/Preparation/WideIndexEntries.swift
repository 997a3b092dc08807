import Libpq

/// Rows that an index of production may have no room for, which only the server's own compression decides.
struct WideIndexEntries {
  let table: TablePlan
  let production: Connection

  /// What an entry of a B-tree may take, in bytes, less what is stored beside the values: a third of a page of the usual size.
  ///
  /// `BTMaxItemSize` in the server's `access/nbtree.h`.
  private static let byteCountLimit = 2_650

  /// - Parameter staging: the same connection if staging is in the same database.
  func reasons(_ staging: Connection) throws(PostgresError) -> [String] {
    guard table.reading.snapshot == nil else { return [] }
    let indexes = try production.query(Self.indexes(of: table))
    var reasons: [String] = []
    for row in 0..<indexes.count {
      let names = Set(JSONText.decode([String].self, indexes.text(row, 1)) ?? [])
      let sizes = table.columns.filter { names.contains($0.name.name) && $0.inStaging != nil }
        .map { "coalesce(pg_column_size(s.\($0.stagedName)), 0)" as SQL }
      guard !sizes.isEmpty else { continue }
      let found = try staging.query(
        """
        SELECT count(*) FROM \(table.staging) AS s
        WHERE \(ClaimSQL.isWanted(table, in: .everything))
          AND \(sizes.joined(" + ")) > \(Self.byteCountLimit)
        """,
        "looking for rows of \(table.staging) that are too long for an index"
      )
      guard let count = found.integer(0, 0), count > 0 else { continue }
      let index = indexes.text(row, 0) ?? ""
      reasons.append(
        "whether the index \(index) has room for \(count.rows) with more than \(Numbers.grouped(Self.byteCountLimit)) bytes"
      )
    }
    return reasons
  }

  /// Indexes over columns of which a value may be that long, and their columns.
  private static func indexes(of table: TablePlan) -> Query {
    Query(
      """
      SELECT x.relname::text, array_to_json(array_agg(a.attname::text))::text
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
      CROSS JOIN unnest(i.indkey::int2[]) AS k (attnum)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND a.attlen = -1
      WHERE i.indrelid = \(table.productionOid) AND i.indisready
      GROUP BY x.relname
      HAVING bool_or(a.atttypid <> \(TypeOID.numeric) AND (a.atttypmod < 0 OR a.atttypmod > 650))
      ORDER BY x.relname
      """,
      "looking for indexes on long columns of \(table.production)"
    )
  }
}
