import CLibpq

/// A statement that the server has parsed and named.
///
/// Belongs to the connection that prepared it, and lives as long as that.
public struct PreparedStatement {
  let name: String
  let operation: String
}

extension Connection {
  /// Runs one or several statements without parameters and without interest in their rows.
  ///
  /// - Returns: how many rows the last of them changed.
  /// - Throws: ``PostgresError``; of several statements the ones after the failed one are not run.
  @discardableResult
  public func execute(_ sql: SQL, _ operation: String) throws(PostgresError) -> Int {
    let before = try sendMessage(sql, operation)
    return try drain(before + [operation]).compactMap(\.self).last ?? 0
  }

  /// Runs one statement without parameters and gives its rows back, in binary.
  ///
  /// - Throws: ``PostgresError``; the connection can then be used on unless ``isBroken``.
  public func query(_ sql: SQL, _ operation: String) throws(PostgresError) -> ResultSet {
    try query(sql, [], operation)
  }

  /// Runs one statement with parameters and gives its rows back, in binary.
  ///
  /// - Throws: as without parameters.
  ///
  /// - Parameter followers: run behind it, on the same trip; what they give back is left.
  public func query(
    _ sql: SQL,
    _ parameters: [Parameter],
    then followers: [Companion] = [],
    _ operation: String
  ) throws(PostgresError) -> ResultSet {
    let statement = sql.statement
    return try repeatingConflicts { () throws(PostgresError) -> ResultSet in
      try result(of: operation, then: followers) { [handle] in
        Self.withPointers(parameters) { types, values, lengths, formats in
          PQsendQueryParams(handle, statement, Int32(parameters.count), types, values, lengths, formats, 1)
        }
      }
    }
  }

  /// Has the server parse a statement once for many executions.
  ///
  /// - Parameters:
  ///   - name: unique on this connection.
  ///   - parameterTypes: oids; 0 leaves a type to the server.
  ///   - operation: what the statement does, for errors.
  /// - Throws: ``PostgresError`` when the server cannot parse it, or the name is taken.
  public func prepare(
    _ name: String,
    _ sql: SQL,
    parameterTypes: [UInt32] = [],
    _ operation: String
  ) throws(PostgresError) -> PreparedStatement {
    let statement = sql.statement
    _ = try repeatingConflicts { () throws(PostgresError) -> ResultSet in
      try result(of: operation) { [handle] in
        PQsendPrepare(handle, name, statement, Int32(parameterTypes.count), parameterTypes)
      }
    }
    return PreparedStatement(name: name, operation: operation)
  }

  /// Runs a prepared statement and gives its rows back, in binary.
  ///
  /// - Parameter followers: run behind it, on the same trip; what they give back is left.
  /// - Precondition: `statement` was prepared on this connection.
  /// - Throws: ``PostgresError`` with the operation given to `prepare`, or the follower's.
  public func execute(
    _ statement: PreparedStatement,
    _ parameters: [Parameter] = [],
    then followers: [Companion] = []
  ) throws(PostgresError) -> ResultSet {
    try repeatingConflicts { () throws(PostgresError) -> ResultSet in
      try result(of: statement.operation, then: followers) { [handle] in
        Self.withPointers(parameters) { _, values, lengths, formats in
          PQsendQueryPrepared(handle, statement.name, Int32(parameters.count), values, lengths, formats, 1)
        }
      }
    }
  }

  /// Reads all results of what was sent; the first error wins.
  ///
  /// - Parameter operations: what the statements do, in their order; the last word holds for all that are left.
  /// - Returns: how many rows each of them changed; nil for one that gave rows back.
  @discardableResult
  func drain(_ operations: [String]) throws(PostgresError) -> [Int?] {
    var counts: [Int?] = []
    var failure: PostgresError?
    var operation: String { operations[min(counts.count, operations.count - 1)] }
    while let result = try nextResult(operation) {
      switch result.status {
      case PGRES_COMMAND_OK: counts.append(result.affectedRowCount)
      case PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: counts.append(nil)
      case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
        preconditionFailure("a COPY goes through copyIn or copyOut")
      default: failure = failure ?? PostgresError(result: result.handle, connection: handle, operation: operation)
      }
    }
    if let failure { throw failure }
    return counts
  }

  /// Runs one statement of the extended protocol, together with what waits and what follows.
  ///
  /// - Parameter send: hands it to libpq.
  private func result(
    of operation: String,
    then followers: [Companion] = [],
    _ send: @escaping () -> Int32
  ) throws(PostgresError) -> ResultSet {
    guard waiting.isEmpty && followers.isEmpty || sendsSingly else {
      return try runInCompany(then: followers, operation, send)
    }
    guard send() == 1 else { throw lost(operation) }
    beginTrip()
    let result = try onlyResult(operation)
    for follower in followers { try execute(follower.sql, follower.operation) }
    return result
  }

  private func onlyResult(_ operation: String) throws(PostgresError) -> ResultSet {
    guard let result = try nextResult(operation) else { throw lost(operation) }
    switch result.status {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
      try drain([operation])
      return result
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
      // libpq would give this result again and again.
      preconditionFailure("a COPY goes through copyIn or copyOut")
    default:
      let failure = PostgresError(result: result.handle, connection: handle, operation: operation)
      // The rest of the answer must be read before the next statement; its own errors add nothing.
      while (try nextResult(operation)) != nil {}
      throw failure
    }
  }

  /// Hands types, values, lengths and formats to `body` as libpq takes them.
  ///
  /// Safe: each value's pointer is used only inside the closure that lends it, which encloses the call of `body`; libpq
  /// copies the values before its call returns.
  static func withPointers(
    _ parameters: [Parameter],
    _ body: (
      UnsafePointer<Oid>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
    ) -> Int32
  ) -> Int32 {
    let types = parameters.map(\.type)
    let lengths = parameters.map { Int32($0.bytes?.count ?? 0) }
    let formats = [Int32](repeating: 1, count: parameters.count)
    var values: [UnsafePointer<CChar>?] = []

    /// Nests one closure per parameter, so that each byte array stays where it is and is not copied.
    func pin(_ index: Int) -> Int32 {
      guard index < parameters.count else { return body(types, values, lengths, formats) }
      guard let bytes = parameters[index].bytes else {
        values.append(nil)
        return pin(index + 1)
      }
      guard !bytes.isEmpty else {
        // An empty value needs a pointer that is not null: null means SQL NULL.
        return [CChar(0)].withUnsafeBufferPointer { buffer in
          values.append(buffer.baseAddress)
          return pin(index + 1)
        }
      }
      return bytes.withUnsafeBytes { buffer in
        values.append(buffer.baseAddress?.assumingMemoryBound(to: CChar.self))
        return pin(index + 1)
      }
    }
    return pin(0)
  }
}
