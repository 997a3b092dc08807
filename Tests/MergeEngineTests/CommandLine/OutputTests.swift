import TestSupport
import Testing

/// What goes to stdout, what to stderr, and in what form.
@Suite struct OutputTests {
  @Test func `without a terminal a merge prints one table on stdout, without colour, and nothing on stderr`()
    async throws
  {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let outcome = try await database.call()
      #expect(outcome.status == 0)
      #expect(outcome.errors == "")
      #expect(!outcome.output.contains("\u{1B}"))
      let lines = outcome.output.split(separator: "\n").map(String.init)
      #expect(lines[0].contains("inserted") && lines[0].contains("rows/s"))
      #expect(lines.contains { $0.hasPrefix("orders") && $0.contains("2,000") })
      #expect(lines.contains { $0.hasPrefix("total") && $0.contains("2,500") })
      #expect(lines.last?.hasPrefix("SUCCESS: run 1") == true)
    }
  }

  @Test(arguments: [
    (["plan"], 74), (["plan", "--json"], 74), (["init", "--print-grants", "merger"], 74),
    (["status", "--prometheus", "-"], 74),
    ([], 74), (["status"], 74), (["verify", "--json", "--output", "differences"], 65),
  ])
  func `what does not arrive on stdout is missed`(arguments: [String], status: Int) async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("init", "--quiet").status == 0)
      if arguments.first == "verify" {
        #expect(try await database.call().status == 0)
        try database.run("DELETE FROM production.orders WHERE order_id = 1")
      }
      let program = try CommandLineProgram(
        arguments + ["--database", database.connectionString],
        through: #"exec "$0" "$@" > /dev/full"#
      )
      let outcome = try await program.outcome()
      #expect(Int(outcome.status) == status, "\(outcome.transcript)")
      #expect(outcome.errors.contains("stdout can't be written: No space left on device"), "\(outcome.transcript)")
      if arguments.isEmpty {
        #expect(try database.count("SELECT count(*) FROM admin.merge_summary WHERE status = 'SUCCESS'") == 1)
      }
    }
  }

  @Test(
    arguments: [
      (">&-", 74, "stdout can't be written: Bad file descriptor"), ("<&-", 0, nil), ("2>&-", 0, nil),
      ("<&- >&- 2>&-", 74, nil),
    ] as [(String, Int, String?)]
  )
  func `a stream that is closed is not taken for a connection`(closed: String, status: Int, said: String?) async throws
  {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let program = try CommandLineProgram(
        ["--json", "--database", database.connectionString],
        through: #"exec "$0" "$@" "# + closed
      )
      let outcome = try await program.outcome()
      #expect(Int(outcome.status) == status, "\(outcome.transcript)")
      #expect(said.map(outcome.errors.contains) ?? outcome.errors.isEmpty, "\(outcome.transcript)")
      #expect(try database.count("SELECT count(*) FROM admin.merge_summary WHERE status = 'SUCCESS'") == 1)
    }
  }

  @Test func `quiet says nothing when all is well, and only errors when it is not`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("CREATE TABLE staging.orphans (id integer)")
      for command in [[], ["init"]] {
        let outcome = try await database.call(arguments: command + ["--quiet"])
        #expect(outcome.status == 0)
        #expect(outcome.everything == "")
      }
      // Without a row in staging it would block nobody.
      try database.run("INSERT INTO staging.orphans VALUES (1)")
      let blocked = try await database.call("--quiet", "--table", "orphans")
      #expect(blocked.status == 73)
      #expect(blocked.errors.contains("orphans"))
      #expect(blocked.output == "")
    }
  }

  @Test func `quiet and json together print the JSON alone`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("CREATE TABLE staging.orphans (id integer)")
      let outcome = try await database.call("--quiet", "--json")
      #expect(try outcome.json()["totals"]["read"].integer == 2500)
      #expect(outcome.errors == "")
    }
  }

  @Test func `log lines as JSON have time, level and message, one object a line`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("CREATE TABLE staging.\"or\"\"phans\" (id integer)")
      let outcome = try await database.call("--log-format", "json", "--json")
      #expect(outcome.status == 0)
      let lines = outcome.errors.split(separator: "\n")
      #expect(lines.count == 1)
      for line in lines {
        let entry = try JSONValue(text: String(line))
        #expect(entry["level"].text == "warning")
        #expect(entry["time"].text?.hasSuffix("Z") == true)
        #expect(entry["message"].text?.contains("staging.or\"phans") == true)
        #expect(entry["table"].text == "or\"phans")
      }
    }
  }

  @Test func `with json log lines errors are such lines too`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      let outcome = try await database.call("--log-format", "json")
      #expect(outcome.status == 73)
      for line in outcome.errors.split(separator: "\n") {
        #expect(try JSONValue(text: String(line))["level"].text == "error")
      }
    }
  }

  @Test func `status counts by table what is merged and what stands refused, and shows the last runs`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("ALTER TABLE production.orders ADD CHECK (amount <> 17.75)")
      let before = try await database.call("status", "--json").json()
      #expect(before["last_run"] == .null)
      #expect(before.keys.contains("last_run"))
      #expect(try await database.call().status == 65)
      try database.run("INSERT INTO staging.orders (order_id, updated_at) VALUES (99999, now())")
      let outcome = try await database.call("status", "--json")
      #expect(outcome.status == 65)
      let json = try outcome.json()
      let orders = json["tables"].table("orders")
      #expect(orders.keys.isSuperset(of: ["table", "total", "pending", "processed", "errors"]))
      let counts = ["total", "pending", "processed", "errors"].map { orders[$0].integer }
      #expect(counts == [2001, 1, 1998, 2])
      #expect(json["last_run"]["run_id"].integer == 1)
      #expect(json["last_run"]["status"].text == "PARTIAL")
      #expect(json["last_run"]["read"].integer == 2500)
      #expect(json["last_run"]["finished_at"].text?.hasSuffix("Z") == true)
      let text = try await database.call("status").output
      #expect(text.contains("2,001") && text.contains("PARTIAL"))
      #expect(try await database.call("status", "--table", "customers", "--json").json()["tables"].elements.count == 1)
    }
  }

  @Test func `status of a database that has nothing yet says so and makes nothing`() async throws {
    try await TestDatabase.with { database async throws in
      let before = try database.contents()
      let outcome = try await database.call("status")
      #expect(outcome.status == 0)
      #expect(outcome.output.contains("init"))
      #expect(try database.contents() == before)
    }
  }
}
