/// How a time can change between Oracle and a staging column.
enum TimestampTraps {
  /// What can happen, and what to do; `nil` if nothing can.
  static func trap(_ source: OracleType?, _ staging: PostgresType) -> (String, String)? {
    if staging.name == "date", source == nil || source?.name == "DATE" || source?.name.hasPrefix("TIMESTAMP") == true {
      return ("Oracle's DATE includes a time of day, which is lost", "make the column timestamp without time zone")
    }
    guard let decimals = staging.secondDecimals else { return nil }
    if let source, source.name.hasPrefix("TIMESTAMP WITH") {
      guard staging.name != "timestamp with time zone" else { return nil }
      return (
        "the source's \(source.name) is transferred as text with its zone, and what becomes of the zone depends on the endpoint",
        "set ConvertTimestampWithZoneToUTC on the source endpoint, or make the column timestamp with time zone"
      )
    }
    if staging.name == "timestamp with time zone" {
      return (
        "Oracle's DATE and TIMESTAMP have no time zone, so the session's is added",
        "make the column timestamp without time zone"
      )
    }
    let needed = source.map { $0.name == "TIMESTAMP" ? $0.numbers.first ?? 6 : 0 } ?? 6
    if needed > 6 {
      return (
        "TIMESTAMP(\(needed)) is transferred as text of up to 37 characters, and PostgreSQL keeps 6 decimals",
        "compare times to 6 decimals, or keep the column as varchar(37)"
      )
    }
    guard decimals < needed else { return nil }
    return (
      "it keeps \(decimals) decimals of a second, so times are rounded and two versions of a row can look the same",
      "make the column timestamp without time zone, which keeps 6"
    )
  }
}
