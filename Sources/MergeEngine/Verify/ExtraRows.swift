import Libpq

/// Production rows inside the window that staging lacks: deleted in Oracle, perhaps.
public struct ExtraRows {
  private(set) var plan: TablePlan
  private let window: VersionWindow
  private let connection: Connection
  /// More than can be told apart can't be read.
  private let hasTooManyUnreadable: Bool

  /// What was found of one table.
  public struct Outcome: Sendable, Codable {
    /// Production rows inside the window; nil when they were not looked at.
    public internal(set) var windowCount: Int?
    /// How many of them staging lacks.
    public internal(set) var count = 0
    /// Keys of some of them.
    public internal(set) var sampleKeys: [[String: String?]] = []
    /// Why they were not looked at.
    public internal(set) var note: String?

    private enum CodingKeys: String, CodingKey {
      case windowCount = "rows_in_window"
      case count = "rows"
      case sampleKeys = "sample_keys"
      case note
    }

  }

  /// - Parameter connection: to the database that holds both sides.
  init(_ plan: TablePlan, _ window: VersionWindow, on connection: Connection) throws(PostgresError) {
    self.plan = plan
    self.window = window
    self.connection = connection
    let unreadable = window.isUnbounded ? [] : try UnreadableRows.keys(of: plan, connection).find()
    hasTooManyUnreadable = unreadable == nil
    self.plan.reading.unreadableKeys = unreadable ?? []
  }

  /// Counts extra rows once more, in one snapshot with what is written of each.
  func findAgain(sampleLimit: Int, _ output: VerifyOutput?) throws -> Outcome {
    guard let output else { return try find(sampleLimit: sampleLimit) }
    let operation = "reading rows of \(plan.production) that staging lacks"
    try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", operation)
    let outcome = try find(sampleLimit: sampleLimit)
    // All rows are wanted, not the first ones soon.
    try connection.execute("SET LOCAL cursor_tuple_fraction = 1", operation)
    try connection.execute(
      """
      DECLARE extra_rows NO SCROLL CURSOR FOR
      SELECT p.ctid::text, p.xmin::text, \(text(of: plan.version)), \(keys)
      FROM \(plan.production) AS p WHERE \(isExtra)
      """,
      operation
    )
    while true {
      let rows = try connection.query("FETCH \(Self.pieceRowCount) FROM extra_rows", operation)
      guard rows.count > 0 else { break }
      try output.writer.write((0..<rows.count).map { difference(rows, $0, pair: plan.pair.name) })
    }
    try connection.execute("COMMIT", operation)
    return outcome
  }

  /// Rows that are fetched at once. Arbitrary.
  private static let pieceRowCount = 1000

  private func difference(_ rows: ResultSet, _ row: Int, pair: String) -> Difference {
    Difference(
      pair: pair,
      table: plan.plainName,
      kind: .extra,
      key: Dictionary(
        uniqueKeysWithValues: plan.keyColumns.indices.map {
          (plan.columns[$0].name.name, rows.text(row, 3 + $0) ?? "")
        }
      ),
      stagingVersion: nil,
      productionVersion: rows.text(row, 2),
      columns: [],
      stagingRow: nil,
      productionRow: .init(ctid: rows.text(row, 0) ?? "", xmin: rows.text(row, 1) ?? "")
    )
  }

  /// Counts extra rows.
  func find(sampleLimit: Int) throws(PostgresError) -> Outcome {
    var outcome = Outcome()
    guard window.from != nil || window.to != nil else {
      outcome.note = "not looked for: there is no window. Name one with --from and --to."
      return outcome
    }
    guard !hasTooManyUnreadable else {
      outcome.note =
        "not looked for: more than \(UnreadableRows.limit.rows) of \(plan.staging) have keys that \(plan.production) can't have."
      return outcome
    }
    let isEmpty = try connection.query(
      "SELECT NOT EXISTS (SELECT FROM \(plan.staging))",
      "checking whether \(plan.staging) is empty"
    )
    guard isEmpty.bool(0, 0) != true else {
      outcome.note = "not looked for: \(plan.staging) is empty, so every row would be extra."
      return outcome
    }
    let counts = try connection.query(
      // Two scans: in a FILTER the NOT EXISTS would be a subplan for every row, in a WHERE it is an anti-join.
      """
      SELECT (SELECT count(*) FROM \(plan.production) AS p WHERE \(inWindow)),
             (SELECT count(*) FROM \(plan.production) AS p WHERE \(isExtra))
      """,
      "looking for rows of \(plan.production) that staging lacks"
    )
    outcome.windowCount = counts.integer(0, 0)
    outcome.count = counts.integer(0, 1) ?? 0
    guard outcome.count > 0, sampleLimit > 0 else { return outcome }
    let rows = try connection.query(
      """
      SELECT \(keys) FROM \(plan.production) AS p
      WHERE \(isExtra)
      ORDER BY \(plan.keyColumns.map { "p.\($0.name)" as SQL }.joined(", "))
      LIMIT \(sampleLimit)
      """,
      "reading rows of \(plan.production) that staging lacks"
    )
    outcome.sampleKeys = (0..<rows.count).map { row in
      Dictionary(uniqueKeysWithValues: plan.keyColumns.indices.map { (plan.columns[$0].name.name, rows.text(row, $0)) })
    }
    return outcome
  }

  private func text(of column: TablePlan.Column) -> SQL { column.baseType.exactText(of: "p.\(column.name)") }

  private var keys: SQL { plan.keyColumns.map(text).joined(", ") }

  /// Production's row (alias `p`) is inside the window, and staging lacks its key.
  var isExtra: SQL { "\(inWindow) AND NOT EXISTS (\(Self.stagingRow(of: plan)))" }

  private var inWindow: SQL {
    let version = plan.version
    var condition: SQL = "true"
    if let from = window.from {
      condition = condition + " AND p.\(version.name) >= \(plan.versionBound("\(Literal(from))"))"
    }
    if let to = window.to {
      condition = condition + " AND p.\(version.name) < \(plan.versionBound("\(Literal(to))"))"
    }
    return condition
  }

  /// Any staging row of the key of production's row `p`, whatever its version and mark.
  static func stagingRow(of plan: TablePlan) -> SQL {
    let match = plan.keyColumns.map { column in
      "p.\(column.name) \(column.equality) \(plan.keyInProduction(column))" as SQL
    }
    return "SELECT FROM \(plan.staging) AS s WHERE \(match.joined(" AND "))"
  }
}
