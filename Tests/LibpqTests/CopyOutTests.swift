import BinaryCopy
import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct CopyOutTests {
    struct GaveUp: Error {}

    /// Rows of a thousand bytes.
    static let wideRows: SQL =
      "COPY (SELECT n, repeat('x', 1000) FROM generate_series(1, 100000) AS n) TO STDOUT (FORMAT binary)"

    @Test func `all bytes are appended behind what the buffer holds`() async throws {
      let connection = try await Server.connect()
      var buffer: [UInt8] = [1, 2, 3]
      #expect(
        try connection.copyOut("COPY (VALUES (1, 'a'), (2, NULL)) TO STDOUT", into: &buffer, "reading") == .complete
      )
      #expect(buffer == [1, 2, 3] + Array("1\ta\n2\t\\N\n".utf8))
      connection.expectUsable()
    }

    @Test func `binary data is a stream that the reader understands`() async throws {
      let connection = try await Server.connect()
      var buffer: [UInt8] = []
      _ = try connection.copyOut(
        "COPY (VALUES (1, 'a'), (2, NULL)) TO STDOUT (FORMAT binary)",
        into: &buffer,
        "reading"
      )
      let bytes = buffer.rawSpan
      var cursor = CopyCursor()
      try cursor.readHeader(in: bytes)
      #expect(try cursor.beginRow(in: bytes) == 2)
      #expect(try bytes.bigEndian(at: cursor.readField(in: bytes).offset, as: Int32.self) == 1)
      #expect(Array(buffer[try cursor.readField(in: bytes).bytes]) == Array("a".utf8))
      #expect(try cursor.beginRow(in: bytes) == 2)
      try cursor.skipFields(1, in: bytes)
      #expect(try cursor.readField(in: bytes).isNull)
      #expect(try cursor.beginRow(in: bytes) == nil)
      #expect(cursor.offset == buffer.count)
    }

    @Test func `every message is a row, the first behind the header`() async throws {
      let connection = try await Server.connect()
      var sizes: [Int] = []
      try connection.copyOut("COPY (SELECT generate_series(1, 3)) TO STDOUT (FORMAT binary)", "reading") {
        sizes.append($0.byteCount)
      }
      #expect(sizes == [19 + 10, 10, 10, 2])
      connection.expectUsable()
    }

    @Test func `the byte limit stops the COPY, and after a rollback the connection is usable`() async throws {
      let connection = try await Server.connect()
      try connection.execute("BEGIN", "beginning")
      var buffer: [UInt8] = []
      let end = try connection.copyOut(Self.wideRows, into: &buffer, byteLimit: 100_000, "reading")
      #expect(end == .byteLimitReached)
      #expect(buffer.count <= 100_000 && buffer.count > 98_000)
      #expect(try failure { _ = try connection.query("SELECT 1", "going on") }.sqlState?.code == "25P02")
      try connection.execute("ROLLBACK", "rolling back")
      connection.expectUsable()
    }

    @Test func `a buffer that fits to the byte is complete`() async throws {
      let connection = try await Server.connect()
      let sql: SQL = "COPY (SELECT generate_series(1, 3)) TO STDOUT (FORMAT binary)"
      var buffer: [UInt8] = []
      #expect(try connection.copyOut(sql, into: &buffer, byteLimit: 19 + 30, "reading") == .complete)
      buffer = []
      #expect(try connection.copyOut(sql, into: &buffer, byteLimit: 19 + 29, "reading") == .byteLimitReached)
      connection.expectUsable()
    }

    @Test func `the first row is taken however long it is`() async throws {
      let connection = try await Server.connect()
      var buffer: [UInt8] = []
      let sql: SQL = "COPY (SELECT repeat('x', 5000000)) TO STDOUT (FORMAT binary)"
      #expect(try connection.copyOut(sql, into: &buffer, byteLimit: 10, "reading") == .complete)
      #expect(buffer.count > 5_000_000)
      connection.expectUsable()
    }

    @Test func `copy failing midway leaves no rows and a usable connection`() async throws {
      let connection = try await Server.connect()
      try connection.execute(
        "CREATE TEMPORARY TABLE marked AS SELECT n, false AS seen FROM generate_series(1, 5000) AS n",
        "making a table"
      )
      var messageCount = 0
      #expect(throws: GaveUp.self) {
        try connection.copyOut("COPY (UPDATE marked SET seen = true RETURNING n) TO STDOUT", "reading and marking") {
          _ in
          messageCount += 1
          if messageCount == 10 { throw GaveUp() }
        }
      }
      #expect(messageCount == 10)
      connection.expectUsable()
    }

    @Test func `copy failing midway in a transaction takes back what it marked`() async throws {
      let connection = try await Server.connect()
      try connection.execute(
        "CREATE TEMPORARY TABLE marked AS SELECT n, false AS seen FROM generate_series(1, 50000) AS n",
        "making a table"
      )
      try connection.execute("BEGIN", "beginning")
      #expect(throws: GaveUp.self) {
        try connection.copyOut("COPY (UPDATE marked SET seen = true RETURNING n) TO STDOUT", "reading and marking") {
          _ in
          throw GaveUp()
        }
      }
      try connection.execute("ROLLBACK", "rolling back")
      #expect(try connection.number("SELECT count(*) FROM marked WHERE seen") == 0)
      connection.expectUsable()
    }

    @Test func `an error of the server midway comes through, and what was read before is no success`() async throws {
      let connection = try await Server.connect()
      let sql: SQL = "COPY (SELECT 1 / (500 - n) FROM generate_series(1, 1000) AS n) TO STDOUT"
      var messageCount = 0
      let streamed = try failure { try connection.copyOut(sql, "reading") { _ in messageCount += 1 } }
      #expect(streamed.sqlState == SQLState("22012") && streamed.operation == "reading" && messageCount == 499)
      connection.expectUsable()
      var buffer: [UInt8] = []
      let collected = try failure { _ = try connection.copyOut(sql, into: &buffer, "collecting") }
      #expect(collected.sqlState == SQLState("22012") && collected.operation == "collecting")
      connection.expectUsable()
    }

    @Test func `a table that is not there is an error before the first byte`() async throws {
      let connection = try await Server.connect()
      var buffer: [UInt8] = []
      let error = try failure { _ = try connection.copyOut("COPY nowhere TO STDOUT", into: &buffer, "reading") }
      #expect(error.sqlState == .undefinedTable && buffer.isEmpty)
      connection.expectUsable()
    }

    @Test func `a statement that is no COPY is an error`() async throws {
      let connection = try await Server.connect()
      var buffer: [UInt8] = []
      _ = try failure { _ = try connection.copyOut("SELECT 1", into: &buffer, "reading") }
      connection.expectUsable()
    }

    @Test func `giving up a COPY never cancels the statement behind it`() async throws {
      let connection = try await Server.connect()
      // Short ones, over before the request to cancel arrives.
      for count in 1...200 {
        #expect(throws: GaveUp.self) {
          try connection.copyOut("COPY (SELECT generate_series(1, \(count % 7 + 1))) TO STDOUT", "reading") { _ in
            throw GaveUp()
          }
        }
        #expect(try connection.number("SELECT sum(n)::integer FROM generate_series(1, 200) AS n") == 20_100)
      }
      connection.expectUsable()
    }

    @Test func `a session that is ended midway is a lost connection`() async throws {
      let observer = try await Server.connect()
      let connection = try await Server.connect()
      var messageCount = 0
      let error = try failure {
        try connection.copyOut(Self.wideRows, "reading") { _ in
          messageCount += 1
          if messageCount == 5 {
            _ = try observer.query("SELECT pg_terminate_backend(\(connection.backendProcessID))", "ending a session")
          }
        }
      }
      #expect(error.origin == .connectionLost)
      observer.expectUsable()
    }
  }
}
