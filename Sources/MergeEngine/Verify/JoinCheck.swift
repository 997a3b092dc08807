import Libpq

/// Joins ranges of keys on one connection, and keeps the addresses of what is not certainly right.
struct JoinCheck {
  private let connection: Connection
  private var way: Way?

  /// How the server is to find production's rows.
  private enum Way {
    /// Both sides in the order of the key.
    case merge
    /// By the key of each staging row.
    case lookUp
  }

  /// A look-up costs the server about as much as reading so many rows in key order: a first guess, from PostgreSQL 15 with 5M rows
  /// on a machine that had other work.
  private static let rowsPerLookUp = 8

  init(_ connection: Connection) {
    self.connection = connection
  }

  /// Compares the rows of a range.
  ///
  /// - Parameters:
  ///   - counts: gets what is certain.
  ///   - suspects: gets the other rows.
  /// - Returns: how many rows were read.
  mutating func look(
    _ table: JoinedTable,
    _ range: JoinedTable.KeyRange,
    counts: inout RowCheckCounts,
    suspects: inout [SuspectRow]
  ) throws(PostgresError) -> Int {
    let operation = "comparing \(table.plan.staging) with \(table.plan.production)"
    let staged = try plannedRows(table.stagingRows(range), operation)
    let production = try plannedRows(table.productionRows(range), operation)
    try take(production > Self.rowsPerLookUp * max(staged, 1) ? .lookUp : .merge)
    let answer = try connection.query(table.join(range), operation)
    let (read, newer) = (answer.integer(0, 0) ?? 0, answer.integer(0, 1) ?? 0)
    let differing = TupleAddress.addresses(ofArray: answer.text(0, 2) ?? "")
    let missing = TupleAddress.addresses(ofArray: answer.text(0, 3) ?? "")
    suspects += differing.map { SuspectRow($0, wasInProduction: true) }
    suspects += missing.map { SuspectRow($0, wasInProduction: false) }
    counts.read += read
    counts.productionNewer += newer
    counts.equal += read - newer - differing.count - missing.count
    return read
  }

  /// How many rows the planner expects of a statement that EXPLAIN shows.
  private func plannedRows(_ explain: SQL, _ operation: String) throws(PostgresError) -> Int {
    struct Explained: Decodable {
      let plan: Node

      private enum CodingKeys: String, CodingKey {
        case plan = "Plan"
      }

      struct Node: Decodable {
        let rows: Int

        private enum CodingKeys: String, CodingKey {
          case rows = "Plan Rows"
        }
      }
    }
    let text = try connection.query(explain, operation).text(0, 0)
    return JSONText.decode([Explained].self, text)?.first?.plan.rows ?? 0
  }

  /// Leaves the planner one way only: by itself it reads all of a table sooner than a range that lies scattered in it, range
  /// after range.
  private mutating func take(_ wanted: Way) throws(PostgresError) {
    guard way != wanted else { return }
    let isMerge = wanted == .merge
    try connection.execute(
      """
      SET enable_mergejoin = \(isMerge ? "on" : "off" as SQL); SET enable_nestloop = \(isMerge ? "off" : "on" as SQL); SET enable_tidscan = off
      """,
      "setting up the comparison"
    )
    way = wanted
  }

  /// Gives the session back as it was.
  mutating func finish() throws(PostgresError) {
    guard way != nil else { return }
    try connection.execute(
      "SET enable_mergejoin = off; SET enable_nestloop = on; SET enable_tidscan = on",
      "setting up the session"
    )
    way = nil
  }
}
