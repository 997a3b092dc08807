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
    case (TypeOID.timestampArray, TypeOID.timestamptzArray), (TypeOID.dateArray, TypeOID.timestamptzArray),
      (TypeOID.timestamptzArray, TypeOID.timestampArray), (TypeOID.timestamptzArray, TypeOID.dateArray):
      let time: SQL = source.oid == TypeOID.dateArray ? "e::timestamp" : "e"
      // NULL stays NULL, a list in order, and another shape than a list's would be lost.
      return """
        CASE WHEN coalesce(array_ndims(\(value)), 1) = 1 AND coalesce(array_lower(\(value), 1), 1) = 1 THEN
          CASE WHEN \(value) IS NOT NULL THEN
            ARRAY(SELECT \(time) AT TIME ZONE \(Literal(zone)) FROM unnest(\(value)) WITH ORDINALITY AS a (e, n) ORDER BY n) END\
        ::\(target.fullName)
        WHEN \(KeyCast.refusal(["'the array '", "\(value)::text", "' would lose its dimensions by the cast to another zone'"])) THEN NULL END
        """
    case (_, TypeOID.timestamptz) where TypeOID.strings.contains(source.oid):
      return read("\(value)::text", as: target.fullName)
    default:
      return nil
    }
  }

  /// Whether one side has a time zone and the other none, and the server's own cast is all there is: in the session's zone, which is
  /// the database's.
  static func isLeftToDatabase(from source: CatalogColumn.BaseType, to target: CatalogColumn.BaseType) -> Bool {
    let (zoned, zoneless) = (TypeOID.zonedTimes, TypeOID.zonelessTimes.union(TypeOID.strings))
    guard
      zoned.contains(source.oid) && zoneless.contains(target.oid)
        || zoneless.contains(source.oid) && zoned.contains(target.oid)
    else { return false }
    return ZonedCast(zone: "").cast("", from: source, to: target) == nil
  }

  /// A bound of versions that was typed, or stored, as text.
  func bound(_ text: SQL, as type: CatalogColumn.BaseType) -> SQL {
    type.oid == TypeOID.timestamptz ? read("\(text)::text", as: type.plainName) : "\(text)::\(type.plainName)"
  }

  /// Text as a time with a zone: its own, where it names one.
  private func read(_ text: SQL, as type: SQL) -> SQL {
    let own: SQL = "\(text)::\(type)"
    let given: SQL = "(\(text)::timestamp AT TIME ZONE \(Literal(zone)))::\(type)"
    return """
      CASE WHEN \(TimeText.isPlain(text)) THEN \(given) WHEN \(TimeText.namesZone(text)) THEN \(own) ELSE \(given) END
      """
  }
}
