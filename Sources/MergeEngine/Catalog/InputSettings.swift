import Libpq

/// The settings that decide what a text is as a date, a time or an interval.
///
/// They are the database's or the role's, and stay as they are. What was judged under others is other work: `04/05/2025` is a
/// version of April or of May. <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-DATESTYLE>
struct InputSettings: Sendable, Equatable {
  /// Of day, month and year: `MDY`, `DMY` or `YMD`.
  var dateOrder = usualDateOrder
  /// Under `sql_standard` a sign in front belongs to the whole interval.
  var intervalStyle = usualIntervalStyle
  var timeZone = ""
  /// Which set of abbreviations, as EST, the server knows: `timezone_abbreviations`.
  var zoneAbbreviations = usualZoneAbbreviations

  /// What a server has that nobody has configured.
  private static let (usualDateOrder, usualIntervalStyle, usualZoneAbbreviations) = ("MDY", "postgres", "Default")

  /// Those of a database that nobody is connected to.
  init() {}

  /// As the server has reported them, which it does without being asked.
  ///
  /// - Parameter zoneAbbreviations: what it has said of these, which it does not report.
  init(of connection: Connection, zoneAbbreviations: String?) {
    self.zoneAbbreviations = zoneAbbreviations ?? Self.usualZoneAbbreviations
    let style = connection.reportedSetting("DateStyle") ?? ""
    dateOrder = style.split(separator: " ").last.map(String.init) ?? Self.usualDateOrder
    intervalStyle = connection.reportedSetting("IntervalStyle") ?? Self.usualIntervalStyle
    timeZone = connection.reportedSetting("TimeZone") ?? ""
  }

  /// The settings on which the cast of a value hangs, with what they are; none where they are the usual ones.
  ///
  /// A zone is always named: there is no usual one.
  ///
  /// - Parameter zoneIsOfDatabase: the server's own cast decides between times with and without a zone.
  func deciding(
    from source: CatalogColumn.BaseType,
    to target: CatalogColumn.BaseType,
    zoneIsOfDatabase: Bool
  ) -> [String] {
    var settings: [String] = []
    if TypeOID.strings.contains(source.oid) {
      if TypeOID.dated.contains(target.oid), dateOrder != Self.usualDateOrder {
        settings.append("DateStyle \(dateOrder)")
      }
      if TypeOID.zonedTimes.contains(target.oid), zoneAbbreviations != Self.usualZoneAbbreviations {
        settings.append("timezone_abbreviations \(zoneAbbreviations)")
      }
      if TypeOID.interval == target.oid, intervalStyle == "sql_standard" {
        settings.append("IntervalStyle \(intervalStyle)")
      }
    }
    if zoneIsOfDatabase { settings.append("TimeZone \(timeZone)") }
    return settings
  }
}
