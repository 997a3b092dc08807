/// How many staging rows met which verdict.
///
/// Invariant: `read = inserted + updated + unchanged + stale + duplicate + errors`.
public struct VerdictCounts: Sendable, Codable, Hashable {
  /// Staging rows read.
  public var read = 0
  /// Rows that production did not have.
  public var inserted = 0
  /// Rows that were older in production.
  public var updated = 0
  /// Rows as new as production's.
  public var unchanged = 0
  /// Rows older than production's, the lost races among them.
  public var stale = 0
  /// Rows that lost to a newer one of the same key in the same batch.
  public var duplicate = 0
  /// Rows that the server refused.
  public var errors = 0
  /// Stale rows that only the server's second comparison found to be stale.
  public var lostRaces = 0
  /// Transactions.
  public var batches = 0

  /// Nothing read.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case read, inserted, updated, unchanged, stale, duplicate, errors
    case lostRaces = "lost_races"
    case batches
  }

  static func += (left: inout Self, right: Self) {
    left.read += right.read
    left.inserted += right.inserted
    left.updated += right.updated
    left.unchanged += right.unchanged
    left.stale += right.stale
    left.duplicate += right.duplicate
    left.errors += right.errors
    left.lostRaces += right.lostRaces
    left.batches += right.batches
  }
}
