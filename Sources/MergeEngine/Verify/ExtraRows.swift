import Libpq

/// Production rows inside the window that staging lacks: deleted in Oracle, perhaps.
public struct ExtraRows {
  private let plan: TablePlan
  private let window: TablePlan.Window
  private let connection: Connection

  /// What was found of one table.
  public struct Outcome: Sendable, Codable {
    /// Production rows inside the window; nil when they were not looked at.
    public internal(set) var windowCount: Int?
    /// How many of them staging lacks.
    public internal(set) var count = 0
    /// How many of those were deleted.
    public internal(set) var deletedCount = 0
    /// Keys of some of them.
    public internal(set) var sampleKeys: [[String: String?]] = []
    /// Why they were not looked at, or not deleted.
    public internal(set) var note: String?

    private enum CodingKeys: String, CodingKey {
      case windowCount = "rows_in_window"
      case count = "rows"
      case deletedCount = "deleted"
      case sampleKeys = "sample_keys"
      case note
    }

    /// Their share of production's rows inside the window.
    public var percent: Double {
      guard let windowCount, windowCount > 0 else { return 0 }
      return Double(count) * 100 / Double(windowCount)
    }
  }

  /// - Parameter connection: to the database that holds both sides.
  init(_ plan: TablePlan, _ window: TablePlan.Window, _ connection: Connection) {
    self.plan = plan
    self.window = window
    self.connection = connection
  }

  /// Counts extra rows.
  func find(sampleLimit: Int) throws(PostgresError) -> Outcome {
    var outcome = Outcome()
    guard window.from != nil || window.to != nil else {
      outcome.note = "not looked for: there is no window. Give it with --from and --to."
      return outcome
    }
    let isEmpty = try connection.query(
      "SELECT NOT EXISTS (SELECT FROM \(plan.staging))",
      "looking whether \(plan.staging) is empty"
    )
    guard isEmpty.bool(0, 0) != true else {
      outcome.note = "not looked for: \(plan.staging) is empty, so every row would be extra."
      return outcome
    }
    let counts = try connection.query(
      """
      SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (\(stagingRow)))
      FROM \(plan.production) AS p WHERE \(inWindow)
      """,
      "looking for rows of \(plan.production) that staging lacks"
    )
    outcome.windowCount = counts.integer(0, 0)
    outcome.count = counts.integer(0, 1) ?? 0
    guard outcome.count > 0, sampleLimit > 0 else { return outcome }
    let keys = plan.keyColumns.map { "p.\($0.name)::text" as SQL }.joined(", ")
    let rows = try connection.query(
      """
      SELECT \(keys) FROM \(plan.production) AS p
      WHERE \(inWindow) AND NOT EXISTS (\(stagingRow))
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

  /// Deletes the extra rows, in batches, each row only if it is still in the window and still missing in staging.
  ///
  /// - Parameter connection: one that may write.
  /// - Returns: how many rows were deleted.
  func delete(_ connection: Connection) throws(PostgresError) -> Int {
    let keys = plan.keyColumns.map(\.name)
    let match = plan.keyColumns.map { "p.\($0.name) \($0.equality) e.\($0.name)" as SQL }.joined(" AND ")
    var deletedCount = 0
    while true {
      let result = try connection.query(
        """
        WITH extra AS (
          SELECT \(keys.map { "p.\($0)" as SQL }.joined(", ")) FROM \(plan.production) AS p
          WHERE \(inWindow) AND NOT EXISTS (\(stagingRow))
          LIMIT \(Self.deleteBatchRows)
        ), gone AS (
          DELETE FROM \(plan.production) AS p USING extra AS e
          WHERE \(match) AND \(inWindow)
          RETURNING 1
        )
        SELECT (SELECT count(*) FROM extra), (SELECT count(*) FROM gone)
        """,
        "deleting rows of \(plan.production) that staging lacks"
      )
      deletedCount += result.integer(0, 1) ?? 0
      // Fewer than were found: a trigger or CDC has kept some, which the next round would find again.
      guard result.integer(0, 0) == Self.deleteBatchRows, result.integer(0, 1) == Self.deleteBatchRows else {
        return deletedCount
      }
    }
  }

  /// Arbitrary: few enough that locks are held for a moment only.
  private static let deleteBatchRows = 10_000

  private var inWindow: SQL {
    let version = plan.version
    var condition: SQL = "true"
    if let from = window.from {
      condition = condition + " AND p.\(version.name) >= \(Literal(from))::\(version.baseType.fullName)"
    }
    if let to = window.to {
      condition = condition + " AND p.\(version.name) < \(Literal(to))::\(version.baseType.fullName)"
    }
    return condition
  }

  /// Any staging row of the key, whatever its version and mark.
  private var stagingRow: SQL {
    let match = plan.keyColumns.map { column in
      let value: SQL =
        column.travel == .text ? "(\(column.readExpression))::\(column.baseType.plainName)" : column.readExpression
      return "p.\(column.name) \(column.equality) \(value)" as SQL
    }
    return "SELECT FROM \(plan.staging) AS s WHERE \(match.joined(" AND "))"
  }
}
