import BinaryCopy
import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct CopyInTests {
    struct GaveUp: Error {}

    @Test func `rows arrive however the bytes are cut`() async throws {
      let connection = try await Self.connectionWithTable()
      let bytes = Array("1\ta\n2\tb\n3\t\\N\n".utf8)
      for size in [1, 2, 5, bytes.count] {
        let count = try connection.copyIn(Self.copy, "copying") { stream in
          for start in stride(from: 0, to: bytes.count, by: size) {
            try stream.write(Array(bytes[start..<min(start + size, bytes.count)]).rawSpan)
          }
        }
        #expect(count == 3)
        #expect(try connection.number("SELECT count(*) FROM t WHERE v IS NULL") == 1)
        try connection.execute("TRUNCATE t", "emptying")
      }
    }

    @Test func `nothing, and empty pieces, are no rows`() async throws {
      let connection = try await Self.connectionWithTable()
      #expect(try connection.copyIn(Self.copy, "copying") { _ in } == 0)
      #expect(try connection.copyIn(Self.copy, "copying") { try $0.write([UInt8]().rawSpan) } == 0)
      connection.expectUsable()
    }

    @Test func `binary data arrives, NULL and empty told apart`() async throws {
      let connection = try await Self.connectionWithTable()
      var writer = CopyWriter()
      writer.writeHeader()
      for (number, value) in [(1, nil), (2, []), (3, Array("größe".utf8))] as [(UInt8, [UInt8]?)] {
        writer.beginRow(fieldCount: 2)
        writer.writeField([0, 0, 0, number])
        if let value { writer.writeField(value) } else { writer.writeNull() }
      }
      writer.writeTrailer()
      let bytes = writer.bytes
      let count = try connection.copyIn("COPY t FROM STDIN (FORMAT binary)", "copying") { stream in
        try stream.write(bytes.rawSpan)
      }
      #expect(count == 3)
      #expect(try connection.text("SELECT string_agg(coalesce(v, 'NULL'), ',' ORDER BY n) FROM t") == "NULL,,größe")
    }

    @Test func `more than every buffer holds goes through`() async throws {
      let connection = try await Self.connectionWithTable()
      let line = Array("7\t\(String(repeating: "x", count: 1_000))\n".utf8)
      let piece = Array(repeatElement(line, count: 500).joined())
      let count = try connection.copyIn(Self.copy, "copying") { stream in
        for _ in 0..<40 { try stream.write(piece.rawSpan) }
      }
      #expect(count == 20_000)
      connection.expectUsable()
    }

    @Test func `copy failing midway leaves no rows and a usable connection`() async throws {
      let connection = try await Self.connectionWithTable()
      #expect(throws: GaveUp.self) {
        try connection.copyIn(Self.copy, "copying") { stream in
          try stream.write(Array("1\ta\n2\tb\n".utf8).rawSpan)
          throw GaveUp()
        }
      }
      connection.expectUsable()
      #expect(try connection.number("SELECT count(*) FROM t") == 0)
    }

    @Test func `copy failing midway in a transaction fails the transaction, and a savepoint saves it`() async throws {
      let connection = try await Self.connectionWithTable()
      try connection.execute("BEGIN; INSERT INTO t VALUES (0, 'before'); SAVEPOINT s", "beginning")
      #expect(throws: GaveUp.self) { try connection.copyIn(Self.copy, "copying") { _ in throw GaveUp() } }
      #expect(try failure { _ = try connection.query("SELECT 1", "going on") }.sqlState?.code == "25P02")
      try connection.execute("ROLLBACK TO s", "rolling back")
      #expect(try connection.copyIn(Self.copy, "copying") { try $0.write(Array("1\ta\n".utf8).rawSpan) } == 1)
      try connection.execute("COMMIT", "committing")
      #expect(try connection.number("SELECT count(*) FROM t") == 2)
      connection.expectUsable()
    }

    @Test func `a bad row names its line, and what comes behind it is not waited for`() async throws {
      let connection = try await Self.connectionWithTable()
      let more = Array(String(repeating: "5\tvalue\n", count: 8_192).utf8)
      let error = try failure {
        try connection.copyIn(Self.copy, "copying") { stream in
          try stream.write(Array("1\ta\n2\tb\nthree\tc\n".utf8).rawSpan)
          // Far more than the pipe holds, so that the server's answer comes while this is still being sent.
          for _ in 0..<200 { try stream.write(more.rawSpan) }
        }
      }
      #expect(error.origin == .server && error.sqlState == SQLState("22P02"))
      #expect(error.copyLine == 3 && error.operation == "copying")
      #expect(error.sqlState?.refusesRow == true)
      #expect(try connection.number("SELECT count(*) FROM t") == 0)
      connection.expectUsable()
    }

    @Test func `a refused row names constraint and line`() async throws {
      let connection = try await Self.connectionWithTable()
      try connection.execute("ALTER TABLE t ADD CONSTRAINT once UNIQUE (n)", "adding a constraint")
      let error = try failure {
        try connection.copyIn(Self.copy, "copying") { try $0.write(Array("1\ta\n2\tb\n1\tc\n".utf8).rawSpan) }
      }
      #expect(error.sqlState == .uniqueViolation && error.constraint == "once" && error.copyLine == 3)
      #expect(!"\(error)".contains("(n)=(1)") && error.detail?.contains("(n)=(1)") == true)
      connection.expectUsable()
    }

    @Test func `a table that is not there fails before the body is asked`() async throws {
      let connection = try await Server.connect()
      var wasAsked = false
      let error = try failure { try connection.copyIn("COPY nowhere FROM STDIN", "copying") { _ in wasAsked = true } }
      #expect(error.sqlState == .undefinedTable && !wasAsked)
      connection.expectUsable()
    }

    @Test func `a statement that is no COPY is an error`() async throws {
      let connection = try await Server.connect()
      _ = try failure { try connection.copyIn("SELECT 1", "copying") { _ in } }
      connection.expectUsable()
    }

    @Test func `a session that is ended midway is a lost connection and leaves no rows`() async throws {
      let observer = try await Server.connect()
      try observer.execute("CREATE TABLE shared (n integer)", "making a table")
      defer { _ = try? observer.execute("DROP TABLE shared", "dropping the table") }
      let connection = try await Server.connect()
      let error = try failure {
        try connection.copyIn("COPY shared FROM STDIN", "copying") { stream in
          try stream.write(Array("1\n".utf8).rawSpan)
          _ = try observer.query(
            "SELECT pg_terminate_backend(\(connection.backendProcessID), 5000)",
            "ending a session"
          )
          let more = Array(String(repeating: "5\n", count: 65_536).utf8)
          for _ in 0..<200 { try stream.write(more.rawSpan) }
        }
      }
      #expect(error.origin == .connectionLost && connection.isBroken)
      #expect(try observer.number("SELECT count(*) FROM shared") == 0)
      observer.expectUsable()
    }

    private static let copy: SQL = "COPY t FROM STDIN"

    private static func connectionWithTable() async throws -> Connection {
      let connection = try await Server.connect()
      try connection.execute("CREATE TEMPORARY TABLE t (n integer, v text)", "making a table")
      return connection
    }
  }
}
