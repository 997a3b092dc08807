import Libpq

/// A part of a transaction that can fail alone.
enum Savepoint {
  /// Runs `body`; when it throws an error of the server, what it did is undone and the transaction goes on.
  static func attempt<Value>(
    on connection: Connection,
    _ body: () throws -> Value
  ) throws -> Value {
    try connection.execute("SAVEPOINT attempt", "setting a savepoint")
    do {
      let value = try body()
      try connection.execute("RELEASE SAVEPOINT attempt", "releasing a savepoint")
      return value
    } catch {
      if !connection.isBroken {
        try connection.execute(
          "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt",
          "rolling back to a savepoint"
        )
      }
      throw error
    }
  }

  /// Asks what the server may not be able to answer, within a transaction or without one.
  ///
  /// - Returns: nil where it refuses the question.
  static func answer<Value>(on connection: Connection, _ body: () throws -> Value) throws -> Value? {
    do {
      return connection.isInTransaction ? try attempt(on: connection, body) : try body()
    } catch let error as PostgresError {
      guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
      return nil
    }
  }
}
