import CLibpq

/// A statement that travels together with another one.
public struct Companion {
  /// What it says.
  public let sql: SQL
  /// What it does, for errors.
  public let operation: String

  /// - Parameters:
  ///   - sql: one statement without parameters, whose rows nobody wants.
  ///   - operation: what it does, for errors.
  public init(_ sql: SQL, _ operation: String) {
    self.sql = sql
    self.operation = operation
  }
}

extension PreparedStatement {
  /// Its execution without parameters, as a statement of its own.
  public var execution: Companion { Companion("EXECUTE \(Identifier(name))", operation) }
}

/// What goes to the server together with the next statement.
enum Waiting {
  case statement(Companion, beginsTransaction: Bool)
  case query(Query)
  case preparation(PreparedStatement, SQL, parameterTypes: [UInt32])

  var operation: String {
    switch self {
    case .statement(let companion, _): companion.operation
    case .query(let query): query.operation
    case .preparation(let statement, _, _): statement.operation
    }
  }

  var beginsTransaction: Bool {
    if case .statement(_, let beginsTransaction) = self { beginsTransaction } else { false }
  }
}

/// Statements in company: of a distant server each trip costs more than what it does there.
///
/// Whatever fails, the error says which of the statements it was, and those behind it are not run.
extension Connection {
  // MARK: Before the next statement

  /// Has a statement run just before the next one, on the same trip to the server; its error is thrown there.
  public func executeWithNext(_ sql: SQL, _ operation: String) throws(PostgresError) {
    try wait(.statement(Companion(sql, operation), beginsTransaction: false))
  }

  /// The same with parameters.
  public func queryWithNext(_ query: Query) throws(PostgresError) { try wait(.query(query)) }

  /// Opens a transaction block by `sql` with the next statement; from here on ``isInTransaction`` says so.
  public func beginWithNext(_ operation: String, by sql: SQL = "BEGIN") throws(PostgresError) {
    try wait(.statement(Companion(sql, operation), beginsTransaction: true))
  }

  /// As ``prepare(_:_:parameterTypes:_:)``, on the same trip as the next statement.
  public func prepareWithNext(
    _ name: String,
    _ sql: SQL,
    parameterTypes: [UInt32] = [],
    _ operation: String
  ) throws(PostgresError) -> PreparedStatement {
    let statement = PreparedStatement(name: name, operation: operation)
    try wait(.preparation(statement, sql, parameterTypes: parameterTypes))
    return statement
  }

  /// Sends what waits for a next statement, all in one trip.
  public func executeWaiting() throws(PostgresError) {
    let waiting = takeWaiting()
    if waiting.isEmpty { return }
    _ = try runPipeline(waiting.map { ($0.operation, send($0)) })
  }

  /// Has nothing run of what waits for a next statement.
  public func forgetWaiting() { waiting = [] }

  private func wait(_ new: Waiting) throws(PostgresError) {
    waiting.append(new)
    // What is tried again must not have to be sent again.
    if sendsSingly || conflictPatienceSeconds > 0 && !new.beginsTransaction { try executeWaiting() }
  }

  private func takeWaiting() -> [Waiting] {
    defer { waiting = [] }
    // In a transaction that has failed nothing could run but its end, which must not be kept from it.
    return PQtransactionStatus(handle) == PQTRANS_INERROR ? [] : waiting
  }

  // MARK: In one message

  /// Sends statements in one message, behind what waits; only such a message may hold a COPY.
  ///
  /// - Returns: what those statements do that go before `sql`.
  func sendMessage(_ sql: SQL, then followers: [Companion] = [], _ operation: String) throws(PostgresError) -> [String]
  {
    // Parameters and preparations can't travel in such a message.
    if waiting.contains(where: { if case .statement = $0 { false } else { true } }) { try executeWaiting() }
    let before = takeWaiting()
    var text = ""
    for case .statement(let companion, _) in before { text += companion.sql.statement + "; " }
    text += sql.statement
    for follower in followers { text += "; " + follower.sql.statement }
    guard PQsendQuery(handle, text) == 1 else { throw lost(operation) }
    beginTrip()
    return before.map(\.operation)
  }

  // MARK: In a pipeline

  /// Runs one statement behind what waits, and others behind it.
  ///
  /// - Parameter send: hands the statement to libpq.
  /// - Returns: the statement's own result.
  func runInCompany(
    then followers: [Companion] = [],
    _ operation: String,
    _ send: @escaping () -> Int32
  ) throws(PostgresError) -> ResultSet {
    let before = takeWaiting().map { ($0.operation, self.send($0)) }
    let behind = followers.map { ($0.operation, self.send(.statement($0, beginsTransaction: false))) }
    return try runPipeline(before + [(operation, send)] + behind)[before.count]
  }

  private func send(_ waiting: Waiting) -> () -> Int32 {
    switch waiting {
    case .statement(let companion, _):
      { [handle] in PQsendQueryParams(handle, companion.sql.statement, 0, nil, nil, nil, nil, 1) }
    case .query(let query): { [self] in send(query) }
    case .preparation(let statement, let sql, let types):
      { [handle] in PQsendPrepare(handle, statement.name, sql.statement, Int32(types.count), types) }
    }
  }

  /// Sends statements one behind the other and reads their results.
  ///
  /// Source: <https://www.postgresql.org/docs/current/libpq-pipeline-mode.html>
  ///
  /// - Returns: a result of each.
  private func runPipeline(_ statements: [(operation: String, send: () -> Int32)]) throws(PostgresError) -> [ResultSet]
  {
    guard let last = statements.last else { return [] }
    guard PQenterPipelineMode(handle) == 1 else { throw lost(last.operation) }
    for statement in statements {
      guard statement.send() == 1 else { throw outOfStep(statement.operation) }
    }
    guard PQpipelineSync(handle) == 1 else { throw outOfStep(last.operation) }
    beginTrip()
    var results: [ResultSet] = []
    var failure: PostgresError?
    for statement in statements {
      while let result = try nextResult(statement.operation) {
        switch result.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: results.append(result)
        case PGRES_PIPELINE_ABORTED: break
        default:
          failure =
            failure ?? PostgresError(result: result.handle, connection: handle, operation: statement.operation)
        }
      }
    }
    guard try nextResult(last.operation)?.status == PGRES_PIPELINE_SYNC, PQexitPipelineMode(handle) == 1 else {
      throw outOfStep(last.operation)
    }
    if let failure { throw failure }
    guard results.count == statements.count else {
      throw PostgresError(.malformedAnswer, message: "a statement has no result", operation: last.operation)
    }
    return results
  }
}
