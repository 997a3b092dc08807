import Libpq

/// Columns that production alone has values of: staging has the column, as `init` makes it, and whoever loads it knows nothing of that, since
/// Oracle has no such column. Its rows say NULL then, and a merge writes what they say.
struct EmptyColumns {
  let table: TablePlan
  let production: Connection
  let staging: Connection

  /// How many staged rows are looked at: the first ones, whatever the size of the table. Arbitrary.
  private static let rowLimit = 1000
  /// A single row whose value is gone is nothing to wonder at.
  private static let leastCount = 2

  /// How many of the first staged rows have a value, for each column that is updated.
  static func query(_ table: TablePlan) -> Query {
    let counts = table.updatedColumns.map { "count(s.\($0.stagedName))" as SQL }
    return Query(
      """
      SELECT count(*), array_to_json(ARRAY[\(counts.joined(", "))])::text
      FROM (SELECT * FROM \(table.batchSource) AS s LIMIT \(rowLimit)) AS s
      """,
      "looking for columns of \(table.staging) without a value"
    )
  }

  func findings() throws(PostgresError) -> [Finding] {
    guard table.reading.snapshot == nil, !table.updatedColumns.isEmpty else { return [] }
    let found = try staging.query(Self.query(table))
    let rowCount = found.integer(0, 0) ?? 0
    guard rowCount >= Self.leastCount else { return [] }
    let counts = JSONText.decode([Int].self, found.text(0, 1)) ?? []
    let empty = zip(table.updatedColumns, counts).filter { $0.1 == 0 }.map(\.0)
    guard !empty.isEmpty, let held = try heldCounts(of: empty) else { return [] }
    return zip(empty, held).compactMap { column, count in
      guard count >= Self.leastCount else { return nil }
      return .warning(
        .emptyColumn,
        table.name,
        "\(column.stagedName) of \(table.staging) is NULL in all of the first \(rowCount.rows), and \(table.production) has a value in "
          + "\(count.rows) of the same keys: where staging's row is newer, NULL is written. If the source has no such column, list it under "
          + "tables.\(table.plainName).ignore_columns, or drop it from staging."
      )
    }
  }

  /// In how many of production's rows with the keys of those staged rows columns have a value.
  ///
  /// - Returns: nil where the keys can't be read or compared, which others tell.
  private func heldCounts(of columns: [TablePlan.Column]) throws(PostgresError) -> [Int]? {
    let operation = "looking for values of \(table.production) that staging lacks"
    let (staging, production, table) = (staging, production, table)
    let texts = table.keyColumns.map { "array_agg(\($0.baseType.exactText(of: $0.readExpression)))" as SQL }
    return try Savepoint.answer(on: staging) { () throws(PostgresError) in
      let keys = try LocalSettings.reading(under: LocalSettings.exactFormats, on: staging) { () throws(PostgresError) in
        try staging.query(
          "SELECT \(texts.joined(", ")) FROM (SELECT * FROM \(table.batchSource) AS s LIMIT \(Self.rowLimit)) AS s",
          operation
        )
      }
      let counts = columns.map { "count(p.\($0.name))" as SQL }
      let held = try Savepoint.answer(on: production) { () throws(PostgresError) in
        try LocalSettings.reading(under: LocalSettings.exactFormats, on: production) { () throws(PostgresError) in
          try production.query(
            """
            SELECT array_to_json(ARRAY[\(counts.joined(", "))])::text
            FROM \(KeyTexts.source(table)) JOIN \(table.production) AS p ON \(KeyTexts.match(table))
            """,
            table.keyColumns.indices.map { Parameter(binary: keys.bytes(0, $0), type: TypeOID.textArray) },
            operation
          )
        }
      }
      return held.flatMap { JSONText.decode([Int].self, $0.text(0, 0)) }
    } ?? nil
  }
}
