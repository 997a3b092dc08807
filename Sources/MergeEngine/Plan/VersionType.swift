import Libpq

/// How versions of a column's type are compared on the client.
enum VersionType: Sendable {
  /// timestamp, timestamptz, date and the integers: compared as the integers they travel as, infinities included.
  case integer(byteCount: Int)
  /// numeric: compared digit by digit.
  case numeric

  /// - Returns: nil for a type that can't be a version.
  init?(typeOid: UInt32) {
    switch typeOid {
    case TypeOID.timestamp, TypeOID.timestamptz, TypeOID.int8: self = .integer(byteCount: 8)
    case TypeOID.date, TypeOID.int4: self = .integer(byteCount: 4)
    case TypeOID.int2: self = .integer(byteCount: 2)
    case TypeOID.numeric: self = .numeric
    default: return nil
    }
  }

  static let supportedNames = "timestamp, timestamptz, date, smallint, integer, bigint or numeric"
}
