import Libpq

/// The rows of a staging table that a verification did not look at, by why.
public struct NotCompared: Sendable, Codable, Hashable {
  /// Rows that stand refused, or were dismissed: `merge-engine errors list` shows why.
  public let refused: Int
  /// Rows that no merge has read yet.
  public let unread: Int
  /// Rows whose version lies outside the window.
  public let outsideWindow: Int

  private enum CodingKeys: String, CodingKey {
    case refused, unread
    case outsideWindow = "outside_window"
  }

  /// All of them.
  var count: Int { refused + unread + outsideWindow }

  /// Counts them once the others are counted: whoever writes to staging meanwhile makes it inexact.
  ///
  /// - Returns: nil when the server can't tell a row's version.
  static func count(_ plan: TablePlan, readCount: Int, _ staging: Connection) throws(PostgresError) -> NotCompared? {
    let isOutside: SQL =
      plan.window.isUnbounded ? "false" : "(\(plan.window.condition(on: plan.stagedVersion))) IS NOT TRUE"
    do {
      let counts = try staging.query(
        "SELECT count(*), count(*) FILTER (WHERE \(isOutside)) FROM \(plan.staging) AS s",
        "counting the rows of \(plan.staging)"
      )
      let total = counts.integer(0, 0) ?? 0
      let outside = counts.integer(0, 1) ?? 0
      let refused = plan.reading.refused.count + plan.reading.dismissed.count
      return NotCompared(
        refused: refused,
        unread: plan.selection == .merged ? max(total - outside - refused - readCount, 0) : 0,
        outsideWindow: outside
      )
    } catch {
      guard error.refusesRow else { throw error }
      return nil
    }
  }
}
