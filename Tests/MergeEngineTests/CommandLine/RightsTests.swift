import TestSupport
import Testing

/// Roles that own nothing: what they need, and what they are told when they lack it.
@Suite struct RightsTests {
  @Test func `a role with the printed grants merges, resumes, and looks at the status`() async throws {
    try await TestDatabase.with { database async throws in
      let role = try makeRole(database, name: "Merger \"x\"")
      try database.makeGuideProduction()
      try database.run("CREATE TABLE production.items (id serial PRIMARY KEY, n serial, updated_at date)")
      #expect(try await database.call("init").status == 0)
      try database.run(
        "ALTER TABLE staging.items DROP COLUMN n; INSERT INTO staging.items VALUES (1, '2025-01-01')"
      )
      try database.fillGuideTables()
      try database.expectGuideResult()
      let grants = try await database.call("init", "--print-grants", role)
      #expect(grants.status == 0)
      try database.run(grants.output)

      let merge = try await run(database, role, "--json")
      #expect(merge.status == 0)
      #expect(merge.errors == "")
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.sortedRows("TABLE production.items") == ["(1,1,2025-01-01)"])
      #expect(try await run(database, role).status == 0)
      let status = try await run(database, role, "status", "--json")
      #expect(status.status == 0)
      #expect(try status.json()["last_run"]["status"].text == "SUCCESS")
      // Refused rows go to merge_errors, and dead runs are closed, with the same rights.
      try database.run(
        """
        ALTER TABLE production.orders ADD CHECK (amount <> 17.75) NOT VALID;
        INSERT INTO staging.orders (order_id, amount, updated_at) VALUES (99999, 17.75, now());
        UPDATE admin.merge_summary SET status = 'RUNNING' WHERE id = 1;
        """
      )
      #expect(try await run(database, role).status == 65)
      #expect(try database.runStatuses() == "ABORTED SUCCESS PARTIAL")
    }
  }

  @Test func `the printed grants change nothing by themselves`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let before = try database.contents()
      let outcome = try await database.call("init", "--print-grants", "anybody")
      #expect(outcome.status == 0)
      for line in outcome.output.split(separator: "\n") {
        // What only other commands need is a comment.
        #expect(line.hasPrefix("GRANT ") || (line.hasPrefix("-- for ") && line.contains(": GRANT ")))
        #expect(line.hasSuffix("TO \"anybody\";"))
      }
      #expect(outcome.errors.contains("there is no role anybody yet"))
      let all = try await database.call("init", "--print-grants", "anybody", "--optional-grants")
      let comments = outcome.output.matches(of: #/(?m)^-- for /#).count
      #expect(comments > 3 && all.output.matches(of: #/(?m)^GRANT .*; -- for /#).count == comments)
      #expect(try await database.call("init", "--optional-grants").status == 64)
      #expect(try database.contents() == before)
    }
  }

  @Test(arguments: [
    (
      "REVOKE ALL ON ALL TABLES IN SCHEMA production FROM %", ["SELECT on production.orders", "INSERT on", "UPDATE on"]
    ),
    ("REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA production FROM %", ["INSERT on production.orders"]),
    ("REVOKE USAGE ON SCHEMA production FROM %", ["on production.orders"]),
    ("REVOKE UPDATE ON staging.orders FROM %", ["UPDATE on staging.orders"]),
    ("REVOKE USAGE ON SCHEMA staging FROM %", ["on staging.orders"]),
    ("REVOKE TEMPORARY ON DATABASE @ FROM %, public", ["TEMPORARY on the database"]),
    ("REVOKE INSERT ON admin.merge_summary FROM %", ["INSERT on admin.merge_summary"]),
    ("REVOKE UPDATE ON admin.merge_logs FROM %", ["UPDATE on admin.merge_logs"]),
    ("REVOKE INSERT ON admin.merge_errors FROM %", ["INSERT on admin.merge_errors"]),
    ("REVOKE ALL ON ALL TABLES IN SCHEMA admin FROM %", ["admin.merge_summary"]),
    ("REVOKE USAGE ON SCHEMA admin FROM %", ["admin"]),
    ("REVOKE USAGE ON ALL SEQUENCES IN SCHEMA admin FROM %", ["admin."]),
  ])
  func `a missing right blocks with 73, is named, and nothing is written`(revoke: String, message: [String])
    async throws
  {
    try await TestDatabase.with { database async throws in
      let role = try makeRole(database, name: "merger")
      try await database.makeGuideTables()
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      try database.run(try await database.call("init", "--print-grants", role).output)
      try database.run(revoke.replacing("%", with: "\"\(role)\"").replacing("@", with: database.name))
      let before = try database.contents()
      let outcome = try await run(database, role, "--json")
      #expect(outcome.status == 73)
      for part in message { #expect(outcome.errors.contains(part)) }
      #expect(outcome.errors.contains("--print-grants"))
      #expect(outcome.errors.contains("Nothing was written."))
      #expect(try outcome.hasNoResult(json: true))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a role that may only read is refused by merge and served by status`() async throws {
    try await TestDatabase.with { database async throws in
      let role = try makeRole(database, name: "reader")
      try await database.makeGuideTables()
      try database.fillGuideTables()
      try database.run(
        """
        GRANT USAGE ON SCHEMA staging, production, admin TO "\(role)";
        GRANT SELECT ON ALL TABLES IN SCHEMA staging, production, admin TO "\(role)";
        UPDATE admin.merge_summary SET status = 'RUNNING';
        """
      )
      let before = try database.contents()
      let merge = try await run(database, role)
      #expect(merge.status == 73)
      #expect(merge.errors.contains("the role \(role) lacks INSERT on production.customers"))
      let status = try await run(database, role, "status", "--json")
      #expect(status.status == 0)
      #expect(try status.json()["tables"].table("orders")["pending"].integer == 2000)
      #expect(try database.contents() == before)
    }
  }

  @Test func `a role that may not make the admin schema is given the statements for the DBA, and they suffice`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      let role = try makeRole(database, name: "merger")
      try database.makeGuideProduction()
      try database.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.orders AS TABLE production.orders;
        GRANT USAGE ON SCHEMA staging, production TO "\(role)";
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA staging, production TO "\(role)";
        """
      )
      let before = try database.contents()
      let first = try await run(database, role)
      #expect(first.status == 73)
      #expect(try database.contents() == before)
      // Indented, as all lines of a message but the first.
      let lines = first.errors.split(separator: "\n").map { $0.drop(while: \.isWhitespace) }
      let statements = lines.filter { $0.hasSuffix(";") && ($0.hasPrefix("CREATE") || $0.hasPrefix("ALTER")) }
      #expect(statements.contains { $0.hasPrefix("CREATE SCHEMA") })
      // The admin schema stands against every table.
      #expect(!first.errors.contains("other tables"))
      try database.run(statements.joined(separator: "\n"))
      try database.run(
        """
        GRANT USAGE ON SCHEMA admin TO "\(role)";
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA admin TO "\(role)";
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA admin TO "\(role)";
        """
      )
      let second = try await run(database, role)
      #expect(second.status == 0)
      // Its views are for somebody with more rights.
      #expect(second.errors.contains("monitoring views are missing"))
    }
  }

  @Test(arguments: ["init", "status"])
  func `without the rights for it, init and status end with 73 and say which is missing`(command: String) async throws {
    try await TestDatabase.with { database async throws in
      let role = try makeRole(database, name: "nobody")
      try await database.makeGuideTables()
      try database.run("CREATE TABLE production.items (id int PRIMARY KEY, updated_at date)")
      let before = try database.contents()
      let outcome = try await run(database, role, command)
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("permission denied"))
      #expect(outcome.errors.contains("SQLSTATE 42501"))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a read-only server or session blocks with a message and nothing is written`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      try database.run("ALTER DATABASE \(database.name) SET default_transaction_read_only = on")
      let before = try database.contents()
      let outcome = try await database.call()
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("read-only"))
      #expect(try database.contents() == before)
    }
  }

  /// Roles belong to the whole server, so their names must not meet those of other tests.
  private func makeRole(_ database: TestDatabase, name: String) throws -> String {
    let role = "\(name) \(database.name.suffix(8))"
    try database.run("CREATE ROLE \"\(role.replacing("\"", with: "\"\""))\" LOGIN")
    return role
  }

  private func run(_ database: TestDatabase, _ role: String, _ arguments: String...) async throws
    -> CommandLineProgram.Outcome
  {
    try await CommandLineProgram.run(arguments + ["--database", database.connectionString(role: role)])
  }
}
