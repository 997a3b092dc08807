import CLibpq

/// A question to the server that changes nothing: a statement with its parameters.
public struct Query: Hashable, Sendable {
  let sql: SQL
  let parameters: [Parameter]
  /// What it does, for errors.
  public let operation: String

  /// - Parameter operation: what it does, for errors.
  public init(_ sql: SQL, _ parameters: [Parameter], _ operation: String) {
    self.sql = sql
    self.parameters = parameters
    self.operation = operation
  }

  /// One without parameters.
  public init(_ sql: SQL, _ operation: String) {
    self.init(sql, [], operation)
  }
}

/// Answers to queries before they are wanted: many for one trip to the server.
extension Connection {
  /// Asks, unless that has been done ahead.
  ///
  /// - Throws: as ``query(_:_:)-(SQL,_)``.
  public func query(_ query: Query) throws(PostgresError) -> ResultSet {
    if let answer = answers.removeValue(forKey: query) { return try answer.get() }
    return try self.query(query.sql, query.parameters, query.operation)
  }

  /// Asks what will be wanted soon, each query as if it came alone; each answer serves once, until they are forgotten.
  ///
  /// What the server refuses is an error only when it is wanted; what a standby has ended for what it replays is then asked again.
  ///
  /// - Precondition: nothing waits for a next statement.
  public func ask(ahead queries: [Query]) throws(PostgresError) {
    let queries = queries.filter { answers[$0] == nil }
    guard let last = queries.last, !sendsSingly, !isInTransaction else { return }
    guard PQenterPipelineMode(handle) == 1 else { throw lost(last.operation) }
    for query in queries {
      guard send(query) == 1, PQpipelineSync(handle) == 1 else { throw outOfStep(query.operation) }
    }
    beginTrip()
    for query in queries {
      while let result = try nextResult(query.operation) {
        if result.status == PGRES_TUPLES_OK {
          answers[query] = .success(result)
        } else if conflictPatienceSeconds == 0 {
          answers[query] = .failure(
            PostgresError(result: result.handle, connection: handle, operation: query.operation)
          )
        }
      }
      guard try nextResult(query.operation)?.status == PGRES_PIPELINE_SYNC else { throw outOfStep(query.operation) }
    }
    guard PQexitPipelineMode(handle) == 1 else { throw outOfStep(last.operation) }
  }

  /// Hands a query to libpq.
  ///
  /// - Returns: 1 if libpq has taken it.
  func send(_ query: Query) -> Int32 {
    let statement = query.sql.statement
    return Self.withPointers(query.parameters) { types, values, lengths, formats in
      PQsendQueryParams(handle, statement, Int32(query.parameters.count), types, values, lengths, formats, 1)
    }
  }

  /// Forgets answers that nobody has wanted, before they are no longer true.
  public func forgetAnswers() { answers = [:] }
}
