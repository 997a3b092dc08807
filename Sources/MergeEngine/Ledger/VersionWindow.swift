import Libpq

/// The versions that a run merges: from one on and before another.
struct VersionWindow: Sendable, Hashable {
  /// The first version; nil for no bound.
  let from: String?
  /// The first version not any more; nil for no bound.
  let to: String?

  /// All versions, and rows without one.
  static let unbounded = VersionWindow(from: nil, to: nil)

  var isUnbounded: Bool { from == nil && to == nil }

  /// A row's version as the server compares it.
  struct Version {
    let value: SQL
    /// A bound in the version's type.
    let bound: (Literal) -> SQL
  }

  /// Whether a version lies within; NULL where there is none.
  func condition(on version: Version) -> SQL {
    let bounds = [(from, ">=" as SQL), (to, "<")].compactMap { bound, comparison in
      bound.map { "\(version.value) \(comparison) \(version.bound(Literal($0)))" as SQL }
    }
    return bounds.isEmpty ? "true" : bounds.joined(" AND ")
  }
}
