/// What is wrong with a row.
public enum DifferenceKind: String, Sendable, Codable, CaseIterable {
  /// Production has no such key.
  case missing
  /// Production has an older version than staging.
  case outdated
  /// Production has the same version with other values: a tie that differs.
  case differing
  /// The server can't read the staging row as production's types, so nobody can have merged it; no difference.
  case unreadable
  /// Production has the key inside the window, and staging does not.
  case extra
  /// Production had the row at the first look and not at the second: deleted while it was being verified.
  case deletedSince = "deleted_since"
}
