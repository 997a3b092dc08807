/// A five-character error code of the SQL standard or of PostgreSQL.
///
/// Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
public struct SQLState: Sendable, Hashable, CustomStringConvertible {
  /// The five characters.
  public let code: String

  /// A code as the server sends it.
  public init(_ code: String) {
    self.code = code
  }

  /// The five characters.
  public var description: String { code }

  /// The first two characters: the class.
  public var category: Substring { code.prefix(2) }

  /// A number was divided by zero.
  public static let divisionByZero = SQLState("22012")
  /// The row is not as it should be, and no constraint says so more exactly.
  public static let integrityConstraintViolation = SQLState("23000")
  /// A row with this key is there already.
  public static let uniqueViolation = SQLState("23505")
  /// A row that this one refers to is missing.
  public static let foreignKeyViolation = SQLState("23503")
  /// A row that excludes this one is there already.
  public static let exclusionViolation = SQLState("23P01")
  /// A lock was not granted within `lock_timeout`.
  public static let lockNotAvailable = SQLState("55P03")
  /// A statement ended by a cancel request or by `statement_timeout`.
  public static let queryCanceled = SQLState("57014")
  /// The server, the database or the role has no connection left.
  public static let tooManyConnections = SQLState("53300")
  /// The server chose this transaction to end a deadlock.
  public static let deadlockDetected = SQLState("40P01")
  /// A concurrent change made this transaction impossible.
  public static let serializationFailure = SQLState("40001")
  /// A setting does not take the value.
  public static let invalidParameterValue = SQLState("22023")
  /// Bytes that are not of the protocol, or an option of it that a pooler does not know.
  public static let protocolViolation = SQLState("08P01")
  /// There is no such database.
  public static let invalidCatalogName = SQLState("3D000")
  /// A publication's filter or list of columns goes by columns that do not identify a row.
  public static let invalidColumnReference = SQLState("42P10")
  /// The password is wrong, or there is none.
  public static let invalidPassword = SQLState("28P01")
  /// The role lacks a right.
  public static let insufficientPrivilege = SQLState("42501")
  /// The transaction, or the whole server, only reads.
  public static let readOnlyTransaction = SQLState("25006")
  /// A view can't be replaced by one with other columns.
  public static let invalidTableDefinition = SQLState("42P16")
  /// There is something of that name, but of another kind.
  public static let wrongObjectType = SQLState("42809")
  /// The table does not exist.
  public static let undefinedTable = SQLState("42P01")
  /// Something has to be set up before, as a replica identity for a table that is published.
  public static let objectNotInPrerequisiteState = SQLState("55000")
  /// The server has no memory left for what a session needs, or no place in its table of locks.
  public static let outOfMemory = SQLState("53200")
  /// The prepared plan's result changed its shape, or a feature is missing.
  public static let featureNotSupported = SQLState("0A000")

  /// What was to be read or written could not be.
  public static let ioError = SQLState("58030")
  /// Something is wrong inside the server, or it does not say what.
  public static let internalError = SQLState("XX000")

  /// Rolling back and doing the same again may succeed.
  public var isWorthRetrying: Bool {
    self == .deadlockDetected || self == .serializationFailure || self == .lockNotAvailable
  }

  /// The row itself is refused: its values, a constraint, or a trigger that raised an exception.
  ///
  /// Classes: 22 data exception, 23 integrity constraint violation, 44 WITH CHECK OPTION violation, P0 PL/pgSQL.
  /// 54000 (program limit exceeded) and 42602/42804/42846 arise from single values too (an index row too long, a name, a cast).
  public var refusesRow: Bool {
    ["22", "23", "44", "P0", "54"].contains(String(category)) || ["42602", "42804", "42846"].contains(code)
      || code == "39000" || code == "38000" || !Self.ownCategories.contains(String(category))
  }

  /// The row was refused because of what other rows are like: it may pass when those have changed.
  public var dependsOnOtherRows: Bool {
    self == .foreignKeyViolation || self == .uniqueViolation || self == .exclusionViolation
  }

  /// The classes that the server itself uses; any other was made up by a function.
  private static let ownCategories: Set<String> = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25",
    "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57",
    "58", "72", "F0", "HV", "P0", "XX",
  ]
}
