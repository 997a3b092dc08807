import Libpq

/// `--pause-while SQL`: a question to production's database, to which true means that the merge is to wait.
struct PauseCondition: Sendable {
  private let text: String

  init(_ text: String) {
    self.text = text
  }

  /// Why the question can't be asked; nil if it can.
  func obstacle(_ connection: Connection) throws(PostgresError) -> String? {
    do throws(PostgresError) {
      _ = try isTrue(connection)
      return nil
    } catch {
      guard error.origin == .server else { throw error }
      return error.message + (error.sqlState.map { " (SQLSTATE \($0))" } ?? "")
    }
  }

  /// Asks; NULL is not true.
  ///
  /// In a transaction that can't write, and for some seconds at most: a server that does not answer in time has enough to do.
  func isTrue(_ connection: Connection) throws(PostgresError) -> Bool {
    let operation = "asking --pause-while"
    try connection.execute(
      "BEGIN READ ONLY; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '1s'",
      operation
    )
    do throws(PostgresError) {
      let answer = try connection.query("SELECT (\(question)) IS TRUE", operation).bool(0, 0) == true
      try connection.execute("COMMIT", operation)
      return answer
    } catch {
      guard !connection.isBroken else { throw error }
      try connection.execute("ROLLBACK", operation)
      if error.sqlState == .queryCanceled || error.sqlState == .lockNotAvailable { return true }
      throw error
    }
  }

  /// Its own words, which whoever runs the merge has chosen: they run with that role's rights, and write nothing.
  private var question: SQL {
    .uncheckedFromServer(text.trimmingSuffix { $0.isWhitespace || $0 == ";" })
  }
}

extension String {
  fileprivate func trimmingSuffix(_ isLeftOut: (Character) -> Bool) -> String {
    String(self[..<(lastIndex { !isLeftOut($0) }.map { index(after: $0) } ?? startIndex)])
  }
}
