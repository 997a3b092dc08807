/// How versions of a column's type are compared on the client.
enum VersionType: Sendable {
  /// timestamp, timestamptz, date and the integers: compared as the integers they travel as, infinities included.
  case integer(byteCount: Int)
  /// numeric: compared digit by digit.
  case numeric

  /// - Returns: nil for a type that can't be a version.
  init?(typeOid: UInt32) {
    switch typeOid {
    case 1114, 1184, 20: self = .integer(byteCount: 8)
    case 1082, 23: self = .integer(byteCount: 4)
    case 21: self = .integer(byteCount: 2)
    case 1700: self = .numeric
    default: return nil
    }
  }

  static let supportedNames = "timestamp, timestamptz, date, smallint, integer, bigint or numeric"
}
