import Libpq

/// The images that are left, and what stands against each.
struct LeftAlone {
  let sql: RollbackSQL
  let connection: Connection

  /// What the server said when it refused to take an image back, by the image's address.
  var refusals: [TupleRange: PostgresError] = [:]

  static let refused = "refused by the server"

  private var leftAlone: SQL { sql.leftAlone(refused: refusals.keys.map(\.start)) }

  /// Counts what is left and lists some of it.
  func describe(into report: inout RollbackReport.Table, limit: Int) throws(PostgresError) {
    let operation = "looking for rows of \(sql.table.production) that are left alone"
    let reasons = try connection.query(
      "SELECT l.reason, count(*) FROM (\(leftAlone)) AS l GROUP BY l.reason",
      operation
    )
    for row in 0..<reasons.count {
      let count = reasons.integer(row, 1) ?? 0
      report.reasons[reasons.text(row, 0) ?? Self.refused] = count
      report.leftAlone += count
    }
    guard report.leftAlone > 0, limit > 0 else { return }
    let rows = try connection.query(
      "SELECT l.key, l.reason, l.image_tid::text FROM (\(leftAlone)) AS l LIMIT \(limit)",
      operation
    )
    let messages = Dictionary(
      refusals.map { ("\(TupleAddress($0.key.start))", $0.value) },
      uniquingKeysWith: { first, _ in first }
    )
    report.left = (0..<rows.count).map { row in
      let message = messages[rows.text(row, 2) ?? ""].map { error in
        "\(Self.refused): \(error.message)" + (error.sqlState.map { " (SQLSTATE \($0))" } ?? "")
      }
      return .init(key: rows.text(row, 0) ?? "", reason: rows.text(row, 1) ?? message ?? Self.refused)
    }
  }
}
