import Libpq

/// The rows that CSV files say were deleted, in a temporary table of the session: files may hold any number of them.
struct DeletedKeys {
  private let table: Identifier
  private let production: CatalogTable
  private let key: UniqueIndex
  private let version: CatalogColumn
  private let conversion: CSVConversion
  private let connection: Connection

  /// Makes the table.
  init(
    number: Int,
    _ production: CatalogTable,
    version: CatalogColumn,
    key: UniqueIndex,
    _ conversion: CSVConversion,
    _ connection: Connection
  ) throws(PostgresError) {
    table = Identifier("merge_engine_deleted_\(number)")
    self.production = production
    self.key = key
    self.version = version
    self.conversion = conversion
    self.connection = connection
    var columns: [SQL] = []
    var names: [SQL] = []
    for (index, column) in keyColumns.enumerated() {
      // With production's collation, by which keys are compared, sorted and told apart wherever these columns stand.
      let collation: SQL = column.baseType.nonDeterministicCollation.map { " COLLATE \($0)" } ?? ""
      columns.append("k\(index) \(column.baseType.uncutName)\(collation)")
      names.append("k\(index)")
    }
    columns.append("version \(version.baseType.fullName)")
    columns.append("number bigint")
    names.append("number")
    try connection.execute(
      """
      CREATE TEMPORARY TABLE \(table) (\(columns.joined(", ")));
      CREATE INDEX ON pg_temp.\(table) (\(names.joined(", ")))
      """,
      "creating a temporary table"
    )
  }

  private var keyColumns: [CatalogColumn] { key.columns.compactMap { production.column($0.name) } }
  private var name: SQL { "pg_temp.\(table)" }

  /// Whether a deletion `d` is of the key that the expressions give.
  private func match(_ alias: SQL, _ value: (Int) -> SQL) -> SQL {
    var parts: [SQL] = []
    for (index, column) in key.columns.enumerated() {
      parts.append("\(alias).k\(index) \(column.equality) \(value(index))")
    }
    return parts.joined(" AND ")
  }

  /// The number of the last deletion of a row's key; NULL for none.
  ///
  /// - Parameter value: gives a column's value, in production's type.
  func lastNumber(key value: (Identifier) -> SQL) -> SQL {
    let isSame = match("d") { index in value(key.columns[index].name) }
    return "(SELECT max(d.number) FROM \(name) AS d WHERE \(isSame))"
  }

  /// Keeps deletions.
  ///
  /// - Parameter rows: places in the batch.
  func add(_ rows: [Int], of batch: CSVBatch) throws(PostgresError) {
    guard !rows.isEmpty else { return }
    // The version may be part of the key.
    let places = (keyColumns + [version]).map { conversion.column($0.name) }
    let distinct = Array(Set(places)).sorted()
    let values: [SQL] = places.map { conversion.typedValue($0) }
    _ = try connection.query(
      """
      INSERT INTO \(name)
      SELECT \(values.joined(", ")), k.number::bigint FROM \(conversion.source(distinct, and: ["number"]))
      """,
      distinct.map { batch.texts(rows, column: $0) } + [.textArray(rows.map { "\(batch.rows[$0].number)" })],
      "storing the deletes of \(production.name)"
    )
  }

  /// Has the planner know how many there are.
  func analyze() throws(PostgresError) {
    try connection.execute("ANALYZE \(name)", "analyzing the deletes of \(production.name)")
  }

  /// Lets deletions go after which their row came again.
  ///
  /// - Parameter numbers: of the last deletions of their keys.
  func forget(_ numbers: [Int]) throws(PostgresError) {
    guard !numbers.isEmpty else { return }
    let isSame = match("d") { index in "m.k\(index)" }
    _ = try connection.query(
      """
      DELETE FROM \(name) AS d USING \(name) AS m WHERE m.number = ANY ($1::text[]::bigint[]) AND \(isSame)
      """,
      [.textArray(numbers.map(String.init))],
      "discarding deletes of \(production.name)"
    )
  }

  /// How deletions stand to production.
  struct Counts: Sendable {
    /// Production has the row: what is written for `repair`.
    var present = 0
    /// Production has it no more.
    var absent = 0
    /// Production has a newer row than the one that was deleted.
    var newer = 0
    /// Of the present ones, those whose file says no version: DMS knows only what the source logs.
    var withoutVersion = 0
  }

  /// Rows that are fetched at once. Arbitrary.
  private static let pieceRowCount = 1000

  /// Looks each deleted key up in production as it is now.
  ///
  /// - Parameter write: gets those that production still has, in no newer version.
  func look(pair: String, write: ([Difference]) throws -> Void) throws -> Counts {
    let operation = "looking for deleted rows in \(production.name)"
    let keys = keyColumns.indices.map { "k\($0)" as SQL }.joined(", ")
    let match = match("d") { index in "p.\(key.columns[index].name)" }
    let texts = keyColumns.indices.map { "d.k\($0)::text" as SQL }.joined(", ")
    try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ", operation)
    try connection.execute("SET LOCAL cursor_tuple_fraction = 1", operation)
    try connection.execute(
      """
      DECLARE deleted_rows NO SCROLL CURSOR FOR
      SELECT p.ctid::text, p.xmin::text, p.\(version.name)::text, coalesce(p.\(version.name) > d.version, false),
             d.version IS NULL, \(texts)
      FROM (SELECT DISTINCT ON (\(keys)) * FROM \(name) ORDER BY \(keys), number DESC) AS d
      LEFT JOIN \(production.name) AS p ON \(match)
      """,
      operation
    )
    var counts = Counts()
    while true {
      let rows = try connection.query("FETCH \(Self.pieceRowCount) FROM deleted_rows", operation)
      guard rows.count > 0 else { break }
      var differences: [Difference] = []
      for row in 0..<rows.count {
        guard let place = rows.text(row, 0), let transaction = rows.text(row, 1) else {
          counts.absent += 1
          continue
        }
        guard rows.bool(row, 3) != true else {
          counts.newer += 1
          continue
        }
        counts.present += 1
        if rows.bool(row, 4) == true { counts.withoutVersion += 1 }
        differences.append(
          Difference(
            pair: pair,
            table: production.name.name.name,
            kind: .extra,
            key: Dictionary(
              uniqueKeysWithValues: keyColumns.indices.map { (keyColumns[$0].name.name, rows.text(row, 5 + $0) ?? "") }
            ),
            stagingVersion: nil,
            productionVersion: rows.text(row, 2),
            columns: [],
            stagingRow: nil,
            productionRow: .init(ctid: place, xmin: transaction)
          )
        )
      }
      try write(differences)
    }
    try connection.execute("COMMIT", operation)
    return counts
  }
}
