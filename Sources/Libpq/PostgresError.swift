/// What the server, or the line to it, answered to a statement.
///
/// The fields are those of the protocol: <https://www.postgresql.org/docs/current/protocol-error-fields.html>.
/// ``description`` holds no password, and no row value but where the server's own message quotes the value that it
/// could not read (`invalid input syntax for type integer: "x"`); ``detail`` may hold whole rows and is left to the
/// caller.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
  /// Where the failure arose.
  public enum Origin: Sendable, Hashable {
    /// The server refused the statement; the connection goes on.
    case server
    /// No connection could be made.
    case connecting
    /// The session behind the connection is not the connection's own: a pooler stands between.
    case foreignSession
    /// The connection broke, or was given up because the server did not answer in time.
    case connectionLost
    /// The data from the server breaks the protocol or the expected form.
    case malformedAnswer
  }

  /// Where the failure arose.
  public var origin: Origin
  /// The five-character SQLSTATE, if the server sent one.
  public var sqlState: SQLState?
  /// The message: libpq's in one line, the server's as it wrote it.
  public var message: String
  /// The server's detail. May hold values of a row.
  public var detail: String?
  /// The server's hint.
  public var hint: String?
  /// The server's context, as `COPY orders, line 17`.
  public var context: String?
  /// The constraint that refused the row, if any.
  public var constraint: String?
  /// The column that refused the value, if the server named it.
  public var column: String?
  /// The function of the server's source that raised the error, which no language of its messages changes.
  public var sourceFunction: String?
  /// The file of the server's source that it is in.
  public var sourceFile: String?
  /// The table that the error is about, if the server named one.
  public var table: QualifiedName?
  /// What was being done, as `reading staging.orders`.
  public var operation: String

  /// An error put together by hand; results of the server fill the other fields.
  public init(_ origin: Origin, sqlState: SQLState? = nil, message: String, operation: String) {
    self.origin = origin
    self.sqlState = sqlState
    self.message = message
    self.operation = operation
  }

  /// The server has refused the login: another try with the same words would be refused as well.
  ///
  /// Classes: 28 invalid authorization, and 3D000, a database that does not exist.
  public var refusesLogin: Bool {
    origin == .connecting && (sqlState?.category == "28" || sqlState == .invalidCatalogName)
  }

  /// `while reading staging.orders: relation … does not exist (SQLSTATE 42P01)`; where a function of PL/pgSQL has failed, as a
  /// trigger's, also which one and in which line.
  public var description: String {
    var text = "while \(operation): \(message)"
    if let sqlState { text += " (SQLSTATE \(sqlState.code))" }
    if let function { text += "; the server's context: \(function)" }
    if let hint { text += "; the server's hint: \(hint)" }
    return text
  }

  /// The innermost function of PL/pgSQL in the context, as `PL/pgSQL function production.stamp() line 3 at EXECUTE`. The other lines
  /// quote statements and rows.
  private var function: Substring? {
    context?.split(separator: "\n").first { $0.contains("PL/pgSQL") && !$0.contains("\"") }
  }

  /// A RAISE in PL/pgSQL, which may borrow any SQLSTATE: that of a deadlock, of a shutdown, of a full memory.
  ///
  /// It is told by the function of PL/pgSQL that runs it: contexts and messages are in the server's language.
  public var isRaised: Bool { origin == .server && sourceFunction == "exec_stmt_raise" }

  /// Rolling back and doing the same again may succeed.
  public var isWorthRetrying: Bool { origin == .server && !isRaised && sqlState?.isWorthRetrying == true }

  /// It took too long, or somebody has cancelled it.
  public var isCancelled: Bool { origin == .server && !isRaised && sqlState == .queryCanceled }

  /// The row itself is refused: by its SQLSTATE, by a trigger's RAISE, or by the cast of a number that is none to an integer, which is
  /// called a missing feature (0A000), and is told by the server's own function for numeric.
  public var refusesRow: Bool {
    if isRaised { return true }
    guard origin == .server, let sqlState, !sqlState.isWorthRetrying else { return false }
    return sqlState.refusesRow || isOfUnknownName || isOfInput
      || sqlState == .featureNotSupported && isOfRow
  }

  /// Policies of row-level security would hide rows from a session that wants all of them (`row_security` off).
  public var isOfRowSecurity: Bool { sqlState == .insufficientPrivilege && sourceFunction == "check_enable_rls" }

  /// A number that is none as an integer, or a row that a trigger would move to another partition before it is there: the server
  /// calls both a missing feature.
  private var isOfRow: Bool {
    sourceFunction?.hasPrefix("numeric_") == true || sourceFunction == "ExecBRInsertTriggers"
  }

  /// A value that its type's own input can't read: some call that a syntax error, as tsquery, jsonpath and ltree do, and some give no
  /// code at all, as hstore. A syntax error of a statement, as in a trigger's body, is found in other places, and no row's fault.
  private var isOfInput: Bool {
    guard let sourceFile else { return false }
    return sqlState?.code == "42601" && !Self.isOfStatements(sourceFile)
      || sqlState == .internalError && sourceFile.hasSuffix("_io.c")
  }

  /// Whether a file of the server's source reads statements: its parser, SQL functions and PL/pgSQL.
  private static func isOfStatements(_ file: String) -> Bool {
    file.hasPrefix("parse") || file.hasPrefix("pl_")
      || ["scan.", "gram.", "analyze.", "functions."].contains { file.hasPrefix($0) }
  }

  /// A value of regclass, regtype and their kin names nothing that this database has. What a statement itself names is looked for
  /// by other functions of the server.
  private var isOfUnknownName: Bool {
    guard let sqlState, let sourceFunction, ["42P01", "42704", "42883", "3F000"].contains(sqlState.code) else {
      return false
    }
    return sourceFunction.hasPrefix("reg") || Self.nameFunctions.contains(sourceFunction)
  }

  /// What regclassin, regtypein and the like call to find their object.
  private static let nameFunctions: Set = [
    "RangeVarGetRelidExtended", "typenameType", "parseTypeString", "get_role_oid", "get_namespace_oid",
    "get_ts_config_oid", "get_ts_dict_oid", "get_collation_oid",
  ]

  /// The line of the COPY data at which the server stopped, from 1, if the context names one.
  ///
  /// The form `COPY table, line N` is the server's own (`CopyFromErrorCallback` in its source), and in the language of its
  /// `lc_messages`; in another one than English there is no number, and the caller finds the row by splitting.
  public var copyLine: Int? {
    guard let context, let first = context.split(separator: "\n").first(where: { $0.hasPrefix("COPY ") }) else {
      return nil
    }
    // The first one: behind it the server may quote the row, which can hold anything.
    guard let marker = first.firstRange(of: ", line ") else { return nil }
    return Int(first[marker.upperBound...].prefix { $0.isASCII && $0.isNumber })
  }
}
