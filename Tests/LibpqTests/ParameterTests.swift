import Libpq
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct ParameterTests {
    @Test(arguments: [nil, "", "a", "it's \"quoted\" \\", "größe 😀"] as [String?])
    func `text arrives as it was given, NULL and empty too`(value: String?) async throws {
      let connection = try await Server.connect()
      let answer = try connection.query("SELECT $1, $1 IS NULL, octet_length($1)", [.text(value)], "echoing")
      #expect(answer.text(0, 0) == value)
      #expect(answer.bool(0, 1) == (value == nil))
      #expect(answer.integer(0, 2) == value?.utf8.count)
    }

    @Test(arguments: [nil, 0, 1, -1, .min, .max] as [Int?])
    func `bigint arrives as it was given`(value: Int?) async throws {
      let connection = try await Server.connect()
      let answer = try connection.query("SELECT $1, $1::text", [.bigint(value)], "echoing")
      #expect(answer.integer(0, 0) == value)
      #expect(answer.text(0, 1) == value.map { "\($0)" })
    }

    @Test(arguments: [0, -1, .min, .max] as [Int32])
    func `integer arrives as it was given`(value: Int32) async throws {
      let connection = try await Server.connect()
      let answer = try connection.query("SELECT $1, $1::text", [.integer(value)], "echoing")
      #expect(answer.integer(0, 0) == Int(value) && answer.text(0, 1) == "\(value)")
    }

    @Test(arguments: [true, false])
    func `boolean arrives as it was given`(value: Bool) async throws {
      let connection = try await Server.connect()
      #expect(try connection.query("SELECT $1", [.bool(value)], "echoing").bool(0, 0) == value)
    }

    @Test func `jsonb arrives as the document`() async throws {
      let connection = try await Server.connect()
      let document = #"{"a": "it's \"quoted\"", "n": [1, null, "ß"]}"#
      let answer = try connection.query("SELECT $1 -> 'n' ->> 2, jsonb_typeof($1)", [.jsonb(document)], "echoing")
      #expect(answer.text(0, 0) == "ß" && answer.text(0, 1) == "object")
      let error = try failure { _ = try connection.query("SELECT $1", [.jsonb("{")], "echoing") }
      #expect(error.sqlState == SQLState("22P02"))
      connection.expectUsable()
    }

    @Test(arguments: [[], [""], ["a", "b"], ["NULL", "{}", "\"", ",", "\\", "ß"]] as [[String]])
    func `text arrays arrive element by element`(values: [String]) async throws {
      let connection = try await Server.connect()
      let answer = try connection.query(
        "SELECT v FROM unnest($1) WITH ORDINALITY AS t (v, n) ORDER BY n",
        [.textArray(values)],
        "echoing"
      )
      #expect((0..<answer.count).map { answer.text($0, 0) } == values)
    }

    @Test(arguments: [[], [0], [1, .max, 2_147_483_648]] as [[UInt32]])
    func `oid arrays arrive element by element, unsigned`(values: [UInt32]) async throws {
      let connection = try await Server.connect()
      let answer = try connection.query("SELECT v, v::text FROM unnest($1) AS v", [.oidArray(values)], "echoing")
      #expect((0..<answer.count).map { answer.integer($0, 0) } == values.map { Int($0) })
      #expect((0..<answer.count).map { answer.text($0, 1) } == values.map { "\($0)" })
    }

    @Test func `bytes arrive in the binary form of any type, NULL and empty told apart`() async throws {
      let connection = try await Server.connect()
      let large = [UInt8](repeating: 0xAB, count: 3 << 20)
      for value in [nil, [], [0], [0, 255, 0], large] as [[UInt8]?] {
        let answer = try connection.query("SELECT $1, $1 IS NULL", [Parameter(binary: value, type: 17)], "echoing")
        #expect(answer.bytes(0, 0) == value && answer.bool(0, 1) == (value == nil))
      }
      let uuid = [UInt8](0..<16)
      let answer = try connection.query("SELECT $1::text", [Parameter(binary: uuid, type: 2950)], "echoing")
      #expect(answer.text(0, 0) == "00010203-0405-0607-0809-0a0b0c0d0e0f")
    }

    @Test func `a statement takes two hundred parameters, NULL and empty ones among them`() async throws {
      let connection = try await Server.connect()
      let values: [String?] = (0..<200).map { $0 % 3 == 0 ? nil : $0 % 3 == 1 ? "" : "value \($0)" }
      let list = values.indices.map { "($\($0 + 1)::text)" as SQL }.joined(", ")
      let answer = try connection.query("VALUES \(list)", values.map { .text($0) }, "echoing")
      #expect((0..<answer.count).map { answer.text($0, 0) } == values)
    }
  }
}
