import Libpq

/// What a server, or the line to it, has answered.
///
/// ``message`` holds no row value but where the server's own text quotes one that it could not read; ``detail`` may hold
/// whole rows.
public struct ServerError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The five characters of the SQLSTATE; nil where no server spoke.
  public let sqlState: String?
  /// What was being done, as `reading staging.orders`.
  public let operation: String
  /// What the server said, or libpq.
  public let message: String
  /// The server's detail. May hold values of a row.
  public let detail: String?
  /// The server's hint.
  public let hint: String?
  /// The constraint in question, if the server named one.
  public let constraint: String?
  /// The schema and the table in question, as SQL has them, if the server named one.
  public let table: String?

  init(_ error: PostgresError) {
    sqlState = error.sqlState?.code
    operation = error.operation
    message = error.message
    detail = error.detail
    hint = error.hint
    constraint = error.constraint
    table = error.table?.description
  }

  /// `while reading staging.orders: relation … does not exist (SQLSTATE 42P01)`.
  public var description: String {
    "while \(operation): \(message)" + (sqlState.map { " (SQLSTATE \($0))" } ?? "")
      + (hint.map { "; the server's hint: \($0)" } ?? "")
  }
}
