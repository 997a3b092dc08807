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
}
