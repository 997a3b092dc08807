import Libpq

/// The rows of a staging table that a verification did not look at, by why.
public struct NotCompared: Sendable, Codable, Hashable {
  /// Rows that stand refused: `merge-engine errors list` shows why.
  public let refused: Int
  /// Refused rows that were dismissed, and so are not missed.
  public let dismissed: Int
  /// Rows that no merge has read yet.
  public let unread: Int
  /// Rows whose version lies outside the window.
  public let outsideWindow: Int

  private enum CodingKeys: String, CodingKey {
    case refused, dismissed, unread
    case outsideWindow = "outside_window"
  }

  /// All of them.
  var count: Int { refused + dismissed + unread + outsideWindow }

  init(refused: Int, dismissed: Int, unread: Int, outsideWindow: Int) {
    self.refused = refused
    self.dismissed = dismissed
    self.unread = unread
    self.outsideWindow = outsideWindow
  }

  /// Reads a record, also of a version that did not tell dismissed rows apart.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      refused: try container.decode(Int.self, forKey: .refused),
      dismissed: try container.decodeIfPresent(Int.self, forKey: .dismissed) ?? 0,
      unread: try container.decode(Int.self, forKey: .unread),
      outsideWindow: try container.decode(Int.self, forKey: .outsideWindow)
    )
  }

  static func + (left: NotCompared, right: NotCompared) -> NotCompared {
    NotCompared(
      refused: left.refused + right.refused,
      dismissed: left.dismissed + right.dismissed,
      unread: left.unread + right.unread,
      outsideWindow: left.outsideWindow + right.outsideWindow
    )
  }

  /// Counts them once the others are counted: whoever writes to staging meanwhile makes it inexact.
  ///
  /// - Returns: nil when the server can't tell a row's version.
  static func count(_ plan: TablePlan, readCount: Int, _ staging: Connection) throws(PostgresError) -> NotCompared? {
    let isOutside: SQL =
      plan.reading.window.isUnbounded
      ? "false" : "(\(plan.reading.window.condition(on: plan.stagedVersion))) IS NOT TRUE"
    do {
      let counts = try staging.query(
        "SELECT count(*), count(*) FILTER (WHERE \(isOutside)) FROM \(plan.staging) AS s",
        "counting the rows of \(plan.staging)"
      )
      let total = counts.integer(0, 0) ?? 0
      let outside = counts.integer(0, 1) ?? 0
      let (refused, dismissed) = (plan.reading.state.refused.count, plan.reading.state.dismissed.count)
      return NotCompared(
        refused: refused,
        dismissed: dismissed,
        unread: plan.reading.selection == .merged ? max(total - outside - refused - dismissed - readCount, 0) : 0,
        outsideWindow: outside
      )
    } catch {
      guard error.refusesRow else { throw error }
      return nil
    }
  }
}
