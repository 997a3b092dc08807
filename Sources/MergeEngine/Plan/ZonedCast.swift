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
      CASE WHEN \(text) ~ \(Literal(Self.isoTime + "$")) THEN \(given) \
      WHEN \(text) ~ \(Literal(Self.isoTime + "([+-][0-9:]+|Z)$")) OR \(text) ~* \(Literal(Self.namesZone)) THEN \(own) \
      ELSE \(given) END
      """
  }

  /// The beginning of the usual form. Asked first: 2 µs a text, where what covers every form takes 25.
  private static let isoTime = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+"

  /// An offset, behind a time of day, a date, an era or a blank; or a word that is no part of a date.
  ///
  /// A time that is read without the zone it names would be another time, without an error. So what is not known to be part of a
  /// date counts as the name of a zone, and the server, which reads the text then, refuses what is none. (`infinity`, `epoch` and
  /// `now` are the same in every zone.)
  ///
  /// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-TIMEZONES>
  private static let namesZone =
    #"(:[0-9]{2}[0-9:.]*|(?<![a-z])t[0-9]{2,6}[0-9.]*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|j[0-9]+|\m[0-9]{8}"#
    + #"|(?<![a-z])(am|pm|ad|bc)|\s)\s*[+-]\s*[0-9]"#
    + #"|(?<![a-z/_])(?![tj][0-9]|("# + wordsOfDates + #")(?![a-z]))[a-z]"#

  /// Words that stand in dates and times.
  private static let wordsOfDates = """
    mon|monday|tue|tues|tuesday|wed|weds|wednesday|thu|thur|thurs|thursday|fri|friday|sat|saturday|sun|sunday|\
    jan|january|feb|february|mar|march|apr|april|may|jun|june|jul|july|aug|august|sep|sept|september|oct|october|\
    nov|november|dec|december|am|pm|bc|ad|st|nd|rd|th|at|on|today|tomorrow|yesterday
    """
}
