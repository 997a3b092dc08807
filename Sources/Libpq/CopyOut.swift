import CLibpq

extension Connection {
  /// How a COPY out ended.
  public enum CopyOutEnd: Sendable, Equatable {
    /// Everything was read.
    case complete
    /// The buffer was full; the COPY was cancelled, and the transaction, if there is one, has failed.
    case byteLimitReached
  }

  /// Runs `COPY … TO STDOUT` and appends all of its bytes to `buffer`.
  ///
  /// - Parameters:
  ///   - buffer: keeps what it holds; grows to what is needed.
  ///   - byteLimit: when the buffer would hold more bytes than this, the COPY is cancelled, and what was asked for has
  ///     to be asked for in smaller pieces. The first row is always taken, and so are rows of two bytes, which in
  ///     binary form only the trailer has.
  ///   - operation: what the statement does, for errors.
  /// - Throws: ``PostgresError``; `buffer` then holds what came before, which may end in the middle of the data.
  public func copyOut(
    _ sql: SQL,
    into buffer: inout [UInt8],
    byteLimit: Int = .max,
    _ operation: String
  ) throws(PostgresError) -> CopyOutEnd {
    let start = buffer.count
    return try repeatingConflicts { () throws(PostgresError) -> CopyOutEnd in
      buffer.removeSubrange(start...)
      try beginCopy(sql, PGRES_COPY_OUT, operation: operation)
      var messageCount = 0
      while let message = try nextCopyMessage(operation) {
        defer { PQfreemem(message.baseAddress) }
        messageCount += 1
        // A message is a row, the first one behind the header; the trailer alone has two bytes.
        guard messageCount == 1 || message.count == 2 || buffer.count + message.count <= byteLimit else {
          try abandonCopyOut(operation)
          return .byteLimitReached
        }
        // Safe: the message is freed when this round ends; the bytes are copied.
        buffer.append(contentsOf: UnsafeRawBufferPointer(message))
      }
      try drain([operation])
      return .complete
    }
  }

  /// Runs `COPY … TO STDOUT` and hands every message of it to `consume` as it comes.
  ///
  /// The server sends one message per row, the first with the file header in front.
  ///
  /// - Parameters:
  ///   - operation: what the statement does, for errors.
  ///   - consume: gets bytes that are valid only during the call. When it throws, the COPY is cancelled, and the
  ///     transaction, if there is one, has failed.
  /// - Throws: what `consume` throws, or ``PostgresError``.
  public func copyOut(
    _ sql: SQL,
    _ operation: String,
    consume: (RawSpan) throws -> Void
  ) throws {
    try beginCopy(sql, PGRES_COPY_OUT, operation: operation)
    do {
      while let message = try nextCopyMessage(operation) {
        defer { PQfreemem(message.baseAddress) }
        // Safe: the message is freed when this round ends, and the span cannot leave the call.
        try consume(UnsafeRawBufferPointer(message).bytes)
      }
    } catch {
      if !isBroken { try abandonCopyOut(operation) }
      throw error
    }
    try drain([operation])
  }

  /// Sends the statement, behind what waits, and sees the server enter the COPY.
  func beginCopy(
    _ sql: SQL,
    _ expected: ExecStatusType,
    then followers: [Companion] = [],
    operation: String
  ) throws(PostgresError) {
    for before in try sendMessage(sql, then: followers, operation) {
      guard let result = try nextResult(before) else { throw lost(before) }
      try require(result, PGRES_COMMAND_OK, PGRES_TUPLES_OK, before)
    }
    guard let result = try nextResult(operation) else { throw lost(operation) }
    try require(result, expected, expected, operation)
  }

  private func require(
    _ result: ResultSet,
    _ one: ExecStatusType,
    _ other: ExecStatusType,
    _ operation: String
  ) throws(PostgresError) {
    guard result.status != one, result.status != other else { return }
    let failure = PostgresError(result: result.handle, connection: handle, operation: operation)
    try drain([operation])
    throw failure
  }

  /// - Returns: memory of libpq's, to be freed by the caller; nil at the end of the data.
  private func nextCopyMessage(_ operation: String) throws(PostgresError) -> UnsafeMutableBufferPointer<CChar>? {
    while true {
      var message: UnsafeMutablePointer<CChar>?
      switch PQgetCopyData(handle, &message, 1) {
      case let length where length > 0:
        return UnsafeMutableBufferPointer(start: message, count: Int(length))
      case 0: try awaitInput(operation)
      case -1: return nil
      default: throw lost(operation)
      }
    }
  }

  /// Cancels the COPY and reads what is still under way, so that the next statement finds the line free.
  private func abandonCopyOut(_ operation: String) throws(PostgresError) {
    _ = cancelToken.sendRequest()
    while let message = try nextCopyMessage(operation) { PQfreemem(message.baseAddress) }
    do {
      try drain([operation])
    } catch  where error.origin == .server {
      // The cancellation itself.
    }
  }
}
