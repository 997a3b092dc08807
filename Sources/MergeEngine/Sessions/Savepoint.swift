import Libpq

/// A part of a transaction that can fail alone.
enum Savepoint {
  /// Runs `body`; when it throws an error of the server, what it did is undone and the transaction goes on.
  static func attempt<Value>(
    on connection: Connection,
    _ body: () throws -> Value
  ) throws -> Value {
    try set(on: connection)
    do {
      let value = try body()
      try release(on: connection)
      return value
    } catch {
      try rollBack(on: connection)
      throw error
    }
  }

  /// Runs `body`, whose error is what is asked for: what it did is undone in any case.
  static func rehearse(on connection: Connection, _ body: () throws -> Void) throws {
    try set(on: connection)
    let result = Result { try body() }
    try rollBack(on: connection)
    try result.get()
  }

  /// Asks what the server may not be able to answer, within a transaction or without one.
  ///
  /// - Parameter refusal: which errors mean that; others are thrown.
  /// - Returns: nil where it refuses the question.
  static func answer<Value>(
    on connection: Connection,
    unless refusal: (PostgresError) -> Bool = { $0.origin == .server && $0.sqlState != .queryCanceled },
    _ body: () throws(PostgresError) -> Value
  ) throws(PostgresError) -> Value? {
    let isInTransaction = connection.isInTransaction
    do {
      if isInTransaction { try set(on: connection) }
      let value = try body()
      if isInTransaction { try release(on: connection) }
      return value
    } catch {
      if isInTransaction { try rollBack(on: connection) }
      guard refusal(error) else { throw error }
      return nil
    }
  }

  private static func set(on connection: Connection) throws(PostgresError) {
    try connection.execute("SAVEPOINT attempt", "setting a savepoint")
  }

  private static func release(on connection: Connection) throws(PostgresError) {
    try connection.execute("RELEASE SAVEPOINT attempt", "releasing a savepoint")
  }

  private static func rollBack(on connection: Connection) throws(PostgresError) {
    guard !connection.isBroken else { return }
    try connection.execute("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt", "rolling back to a savepoint")
  }
}
