/// The schemas a merge works in.
public struct Schemas: Sendable, Codable, Hashable {
  /// Where DMS loads to.
  public var staging = "staging"
  /// Where CDC writes to.
  public var production = "production"
  /// Where runs, counts and refused rows are recorded.
  public var admin = "admin"

  /// The contract's names.
  public init() {}

  /// - Throws: ``MergeFailure/usage(_:)`` when staging is production: it would be marked, extended, and truncated.
  func requireTwo() throws(MergeFailure) {
    guard staging == production else { return }
    throw .usage("the staging and the production schema are the same: \(staging). Name two different ones.")
  }
}
