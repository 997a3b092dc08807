/// A PostgreSQL version, as in 15.18.
public struct PostgresVersion: Sendable, Comparable, CustomStringConvertible {
  /// The part that says which files and features go together.
  public let major: Int

  /// The bug-fix release; 0 for betas and release candidates.
  public let minor: Int

  /// As in `15.18`.
  public var description: String { "\(major).\(minor)" }

  /// Reads what `postgres --version` prints: `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 18beta1`.
  ///
  /// - Returns: nil if there is no version in the text.
  public init?(programOutput: String) {
    guard let match = programOutput.firstMatch(of: /\(PostgreSQL\) ([0-9]+)(?:\.([0-9]+))?/), let major = Int(match.1)
    else { return nil }
    self.major = major
    self.minor = match.2.flatMap { Int($0) } ?? 0
  }

  /// Older first.
  public static func < (left: Self, right: Self) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }
}
