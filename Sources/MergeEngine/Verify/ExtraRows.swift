import Libpq

/// Production rows inside the window that staging lacks: deleted in Oracle, perhaps.
public struct ExtraRows {
  let plan: TablePlan
  private let window: VersionWindow
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
  init(_ plan: TablePlan, _ window: VersionWindow, on connection: Connection) {
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
    let keys = plan.keyColumns.map { "p.\($0.name)::text" as SQL }.joined(", ")
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

  /// Production's row (alias `p`) is inside the window, and staging lacks its key.
  var isExtra: SQL { "\(inWindow) AND NOT EXISTS (\(stagingRow))" }

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
