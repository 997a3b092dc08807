import Libpq

/// `--pause-while SQL`: a question to production's database, to which true means that the merge is to wait.
struct PauseCondition: Sendable {
  /// What the question was answered with.
  enum Answer: Sendable {
    case yes, no
    /// NULL, or no row: nothing to pause for, and perhaps not what was meant.
    case null
    /// Nothing within ``limitSeconds``: a server that does not answer in time has enough to do.
    case silence
  }

  /// How long an answer may take.
  static let limitSeconds = 5

  private let text: String

  init(_ text: String) {
    self.text = text
  }

  /// Why the question can't be asked; nil if it can.
  func obstacle(_ connection: Connection) throws(PostgresError) -> String? {
    do throws(PostgresError) {
      _ = try ask(connection)
      return nil
    } catch {
      guard error.origin == .server else { throw error }
      return error.message + (error.sqlState.map { " (SQLSTATE \($0))" } ?? "")
    }
  }

  /// Asks, in a transaction that can't write.
  func ask(_ connection: Connection) throws(PostgresError) -> Answer {
    let operation = "asking --pause-while"
    try connection.execute(
      """
      BEGIN READ ONLY; SET LOCAL statement_timeout = \(1000 * Self.limitSeconds); SET LOCAL lock_timeout = '1s';
      SET LOCAL row_security TO DEFAULT
      """,
      operation
    )
    do throws(PostgresError) {
      let answer = try connection.query(
        "SELECT a.value IS TRUE, a.value IS NULL FROM (SELECT (\(question)) AS value) AS a",
        operation
      )
      try connection.execute("COMMIT", operation)
      if answer.bool(0, 0) == true { return .yes }
      return answer.bool(0, 1) == true ? .null : .no
    } catch {
      guard !connection.isBroken else { throw error }
      try connection.execute("ROLLBACK", operation)
      if error.sqlState == .queryCanceled || error.sqlState == .lockNotAvailable { return .silence }
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
