import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct ResultSetTests {
    @Test func `integers of every width come back, lowest and highest`() async throws {
      let connection = try await Server.connect()
      let answer = try connection.query(
        """
        SELECT 'A'::"char", (-32768)::smallint, 32767::smallint, (-2147483648)::integer, 2147483647::integer,
               (-9223372036854775808)::bigint, 9223372036854775807::bigint, 4294967295::oid
        """,
        "asking"
      )
      let values = [65, -32768, 32767, -2_147_483_648, 2_147_483_647, Int.min, Int.max, 4_294_967_295]
      #expect((0..<8).map { answer.integer(0, $0) } == values)
    }

    @Test func `other types come back as they are`() async throws {
      let connection = try await Server.connect()
      let answer = try connection.query(
        "SELECT true, false, 1.5::float8, '-Infinity'::float8, 'NaN'::float8, 'a'::name, ''::text, ''::bytea",
        "asking"
      )
      #expect(answer.bool(0, 0) == true && answer.bool(0, 1) == false)
      #expect(answer.double(0, 2) == 1.5 && answer.double(0, 3) == -.infinity && answer.double(0, 4)?.isNaN == true)
      #expect(answer.text(0, 5) == "a" && answer.text(0, 6) == "" && answer.bytes(0, 7) == [])
    }

    @Test func `NULL is nil in every type`() async throws {
      let connection = try await Server.connect()
      let answer = try connection.query("SELECT NULL::text, NULL::bigint, NULL::boolean, NULL::float8", "asking")
      #expect(answer.text(0, 0) == nil && answer.bytes(0, 0) == nil)
      #expect(answer.integer(0, 1) == nil && answer.bool(0, 2) == nil && answer.double(0, 3) == nil)
      #expect(answer.withBytes(0, 0) { $0.byteCount } == nil)
    }

    @Test func `borrowed bytes are the field's, and errors of the borrower come through`() async throws {
      struct Refused: Error {}
      let connection = try await Server.connect()
      let answer = try connection.query("SELECT 'abc'", "asking")
      #expect(answer.withBytes(0, 0) { $0.byteCount } == 3)
      #expect(throws: Refused.self) { try answer.withBytes(0, 0) { _ in throw Refused() } }
    }

    @Test func `rows and changed rows are counted`() async throws {
      let connection = try await Server.connect()
      #expect(try connection.query("SELECT generate_series(1, 7)", "asking").count == 7)
      #expect(try connection.query("SELECT 1 WHERE false", "asking").count == 0)
      let made = try connection.query("CREATE TEMPORARY TABLE counted (n integer)", "making a table")
      #expect(made.count == 0 && made.affectedRowCount == 0)
      let inserted = try connection.query("INSERT INTO counted SELECT generate_series(1, 5)", "inserting")
      #expect(inserted.count == 0 && inserted.affectedRowCount == 5)
      #expect(try connection.execute("UPDATE counted SET n = 0 WHERE n > 2", "updating") == 3)
      #expect(try connection.execute("DELETE FROM counted", "deleting") == 5)
    }

    @Test func `a large answer comes back whole`() async throws {
      let connection = try await Server.connect()
      let answer = try connection.query("SELECT n, repeat('x', 100) FROM generate_series(1, 50000) AS n", "asking")
      #expect(
        answer.count == 50_000 && answer.integer(49_999, 0) == 50_000 && answer.text(49_999, 1)?.utf8.count == 100
      )
    }
  }
}
