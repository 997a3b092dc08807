import Libpq

/// Casts between types with a time zone and types without one, in a zone that the statement names.
///
/// The session's own zone is the database's: its triggers, checks and defaults rely on it, and a plain cast would use it.
struct ZonedCast {
  /// The zone in which zone-less times are read.
  let zone: String

  /// The cast of a staging value, where a zone matters.
  ///
  /// - Returns: nil where none does, and the server's own cast will do.
  func cast(_ value: SQL, from source: CatalogColumn.BaseType, to target: CatalogColumn.BaseType) -> SQL? {
    switch (source.oid, target.oid) {
    case (TypeOID.timestamp, TypeOID.timestamptz), (TypeOID.date, TypeOID.timestamptz),
      (TypeOID.timestamptz, TypeOID.timestamp), (TypeOID.timestamptz, TypeOID.date),
      (TypeOID.timestamptz, TypeOID.time):
      let time: SQL = source.oid == TypeOID.date ? "\(value)::timestamp" : "\(value)::\(source.plainName)"
      return "(\(time) AT TIME ZONE \(Literal(zone)))::\(target.fullName)"
    case (TypeOID.timestampArray, TypeOID.timestamptzArray), (TypeOID.timestamptzArray, TypeOID.timestampArray):
      // NULL stays NULL, and a list in order.
      return """
        CASE WHEN \(value) IS NOT NULL THEN
          ARRAY(SELECT e AT TIME ZONE \(Literal(zone)) FROM unnest(\(value)) WITH ORDINALITY AS a (e, n) ORDER BY n) END\
        ::\(target.fullName)
        """
    case (_, TypeOID.timestamptz) where TypeOID.strings.contains(source.oid):
      return read("\(value)::text", as: target.fullName)
    default:
      return nil
    }
  }

  /// A bound of versions that was typed, or stored, as text.
  func bound(_ text: SQL, as type: CatalogColumn.BaseType) -> SQL {
    type.oid == TypeOID.timestamptz ? read("\(text)::text", as: type.fullName) : "\(text)::\(type.fullName)"
  }

  /// Text as a time with a zone: its own, where it names one.
  private func read(_ text: SQL, as type: SQL) -> SQL {
    """
    CASE WHEN \(text) ~* \(Literal(Self.namesZone)) THEN \(text)::\(type) \
    ELSE (\(text)::timestamp AT TIME ZONE \(Literal(zone)))::\(type) END
    """
  }

  /// A time of day, and behind it an offset or the name of a zone.
  ///
  /// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-TIMEZONES>
  private static let namesZone =
    #"([0-9]:[0-9]{2}[0-9:.]*|t[0-9]{4,6}[0-9.]*)\s*([ap]m\M\s*)?(?!(bc|ad|am|pm)\M)([+-]\s*[0-9]|[a-z])"#
}
