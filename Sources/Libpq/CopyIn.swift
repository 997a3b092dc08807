import CLibpq

/// The open end of a `COPY … FROM STDIN`.
public struct CopyInStream: ~Copyable {
  private let connection: Connection
  private let operation: String

  fileprivate init(_ connection: Connection, _ operation: String) {
    self.connection = connection
    self.operation = operation
  }

  /// Sends bytes; where they are cut has no meaning. Best in pieces of 64 KiB and more.
  ///
  /// - Throws: ``PostgresError`` when the line breaks. What the server refuses shows at the end of the COPY; until then
  ///   it reads on and forgets.
  /// - Precondition: less than 2 GiB at once.
  public func write(_ bytes: RawSpan) throws(PostgresError) {
    // Safe: libpq copies the bytes before it returns.
    let sent = bytes.withUnsafeBytes { pointer in
      PQputCopyData(
        connection.handle,
        pointer.baseAddress?.assumingMemoryBound(to: CChar.self),
        Int32(pointer.count)
      )
    }
    guard sent == 1 else { throw connection.lost(operation) }
    try connection.flush(operation)
  }
}

extension Connection {
  /// Runs `COPY … FROM STDIN`, sending what `body` writes.
  ///
  /// When `body` throws, the server is told to discard everything, and the error goes on to the caller; the
  /// transaction, if there is one, has then failed.
  ///
  /// - Parameters:
  ///   - operation: what the statement does, for errors.
  ///   - body: may use the stream only during the call, and this connection for nothing else.
  /// - Returns: how many rows the server took.
  /// - Throws: what `body` throws, or ``PostgresError`` of the server's; where a row is bad, with
  ///   ``PostgresError/copyLine``.
  @discardableResult
  public func copyIn(
    _ sql: SQL,
    _ operation: String,
    _ body: (borrowing CopyInStream) throws -> Void
  ) throws -> Int {
    try copyIn(sql, then: [], operation, body)[0]
  }

  /// As ``copyIn(_:_:_:)``, with statements behind it that run on the same trip as its end.
  ///
  /// - Returns: how many rows the server took, and how many each of the followers changed.
  public func copyIn(
    _ sql: SQL,
    then followers: [Companion],
    _ operation: String,
    _ body: (borrowing CopyInStream) throws -> Void
  ) throws -> [Int] {
    let together = sendsSingly ? [] : followers
    try beginCopy(sql, PGRES_COPY_IN, then: together, operation: operation)
    do {
      try body(CopyInStream(self, operation))
    } catch {
      guard !isBroken else { throw error }
      if PQputCopyEnd(handle, "the client gave up") == 1 {
        while (try nextResult(operation)) != nil {}
      }
      throw error
    }
    guard PQputCopyEnd(handle, nil) == 1 else { throw lost(operation) }
    beginTrip()
    let counts = try drain([operation] + together.map(\.operation)).map { $0 ?? 0 }
    guard sendsSingly else { return counts }
    return try counts + followers.map { try execute($0.sql, $0.operation) }
  }
}
