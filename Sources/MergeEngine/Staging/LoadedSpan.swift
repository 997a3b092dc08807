import Libpq

/// What a load was asked to bring, and the part of it that is merged.
///
/// A load brings a little more than the window: whole seconds, its upper end included, and padding if that was asked for.
/// Such rows are never merged and stay NEW, so whoever empties staging must not take them for work that is left.
package struct LoadedSpan: Sendable, Hashable {
  /// The first version that is merged.
  package let from: String
  /// The first version that is not merged any more.
  package let to: String
  /// The first version that is loaded.
  package let lowest: String
  /// The last version that is loaded.
  package let highest: String
  /// The zone of all four; nil for that of the command which asks.
  package var timeZone: String?

  /// Makes a span of times that the server can read.
  package init(from: String, to: String, lowest: String, highest: String) {
    self.from = from
    self.to = to
    self.lowest = lowest
    self.highest = highest
  }

  /// The window and what was loaded, as text that every session reads alike.
  func exact(as type: CatalogColumn.BaseType, _ connection: Connection) throws(PostgresError) -> (
    window: VersionWindow, load: VersionWindow
  ) {
    let timeZone = timeZone ?? MergeOptions().timeZone
    return (
      try VersionWindow(from: from, to: to).exact(as: type, timeZone: timeZone, connection),
      try VersionWindow(from: lowest, to: highest)
        .exact(as: type, timeZone: timeZone, includesEnd: true, connection)
    )
  }
}
