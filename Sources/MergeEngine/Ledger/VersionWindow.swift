import Libpq

/// The versions that a run merges: from one on and before another.
///
/// What is typed means something only in a time zone; what is kept, and compared with rows, is ``exact(as:timeZone:_:)``.
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

  /// The same as text that every session reads alike: instants in UTC, dates as ISO 8601 has them.
  ///
  /// - Parameters:
  ///   - type: the version's.
  ///   - timeZone: the zone of bounds that name none.
  ///   - includesEnd: the second bound is the last version within.
  /// - Throws: ``PostgresError``, which refuses the value, for a bound that is none of the type.
  func exact(
    as type: CatalogColumn.BaseType,
    timeZone: String,
    includesEnd: Bool = false,
    _ connection: Connection
  ) throws(PostgresError) -> VersionWindow {
    guard !isUnbounded else { return self }
    // How days and months are told apart is left to the database; only how they are written is not.
    let zoned = try read(
      as: type,
      includesEnd: includesEnd,
      under: "SET LOCAL DateStyle = 'ISO'; SET LOCAL TimeZone = \(Literal(timeZone))",
      connection
    )
    return try zoned.read(as: type, includesEnd: includesEnd, under: LocalSettings.exactText, connection)
  }

  private func read(
    as type: CatalogColumn.BaseType,
    includesEnd: Bool,
    under settings: SQL,
    _ connection: Connection
  ) throws(PostgresError) -> VersionWindow {
    let upper = includesEnd ? Self.version("$2::text", type) : Self.leastVersion("$2::text", type)
    return try LocalSettings.reading(under: settings, on: connection) { () throws(PostgresError) in
      let row = try connection.query(
        "SELECT (\(Self.leastVersion("$1::text", type)))::text, (\(upper))::text",
        [.text(from), .text(to)],
        "reading --from and --to"
      )
      return VersionWindow(from: row.text(0, 0), to: row.text(0, 1))
    }
  }

  /// The first version that is not before a time: of dates the day after, where the time is not midnight. No other type is cut.
  private static func leastVersion(_ text: SQL, _ type: CatalogColumn.BaseType) -> SQL {
    guard type.oid == TypeOID.date else { return version(text, type) }
    let time = TimeText.zoneless(text)
    return "CASE WHEN (\(time)) > (\(time))::date THEN (\(time))::date + 1 ELSE (\(time))::date END"
  }

  /// A bound in the version's type.
  private static func version(_ text: SQL, _ type: CatalogColumn.BaseType) -> SQL {
    [TypeOID.timestamp, TypeOID.date].contains(type.oid)
      ? "(\(TimeText.zoneless(text)))::\(type.plainName)" : "\(text)::\(type.plainName)"
  }
}
