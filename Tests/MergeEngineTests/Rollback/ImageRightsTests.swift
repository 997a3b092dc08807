import TestSupport
import Testing

/// What a role needs for before-images and rollback, and how images go in the end.
@Suite struct ImageRightsTests {
  private static let columns = "order_id, customer_id, amount, order_date, updated_at"

  private func makeRole(_ database: TestDatabase) async throws -> String {
    let role = "keeper_\(database.name.suffix(12))"
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: 100, customerCount: 20)
    try database.keepProduction()
    try database.run("CREATE ROLE \"\(role)\" LOGIN")
    try database.run(try await database.call("init", "--print-grants", role).output)
    return role
  }

  private func run(_ database: TestDatabase, _ role: String, _ arguments: String...) async throws
    -> CommandLineProgram.Outcome
  {
    try await CommandLineProgram.run(arguments + ["--database", database.connectionString(role: role)])
  }

  /// The commented lines for a purpose, as statements.
  private func additions(_ database: TestDatabase, _ role: String, for purpose: String) async throws -> String {
    let lines = try await database.call("init", "--print-grants", role).output.split(separator: "\n")
    return lines.filter { $0.hasPrefix("-- for \(purpose)") }
      .compactMap { $0.split(separator: ": ", maxSplits: 1).last.map(String.init) }.joined(separator: "\n")
  }

  @Test func `images out of a dump are not rolled back, and cleanup drops them and nobody else's table`() async throws {
    try await TestDatabase.with { database async throws in
      let columns = "id int PRIMARY KEY, v int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        "INSERT INTO staging.t VALUES (1, 1, 1); CREATE TABLE public.mine (a int); INSERT INTO public.mine VALUES (7)"
      )
      try await database.merge { $0.beforeImages = true }
      // Where the dump is restored, the oid on record is that of another table.
      try database.run("UPDATE admin.before_images SET created_xid = created_xid - 1")
      let sameOid = try await database.call("rollback", "1")
      #expect(sameOid.status == 73 && sameOid.errors.contains("by a dump that was restored"), "\(sameOid.transcript)")
      try database.run("UPDATE admin.before_images SET image_oid = 'public.mine'::regclass")
      #expect(try await database.call("rollback", "1").status == 73)
      let cleanup = try await database.call("cleanup", "--keep-task", "--older-than", "0")
      #expect(cleanup.status == 0, "\(cleanup.transcript)")
      #expect(try database.count("SELECT a FROM public.mine") == 7)
      #expect(try database.count("SELECT count(*) FROM pg_class WHERE relname LIKE 'before\\_1\\_%'") == 0)
    }
  }

  @Test func `without the rights for before-images and rollback nothing is written, with the printed ones both work`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      let role = try await makeRole(database)
      let before = try database.contents()
      let refused = try await run(database, role, "--before-images")
      #expect(refused.status == 73)
      #expect(refused.errors.contains("CREATE on the schema admin (for --before-images)"))
      #expect(refused.errors.contains("INSERT on admin.before_images"))
      #expect(refused.errors.contains("--print-grants"))
      #expect(try database.contents() == before)
      // Without the option the rights are not asked for.
      try database.run(try await additions(database, role, for: "merge --before-images"))
      let merge = try await run(database, role, "--before-images")
      #expect(merge.status == 0, "\(merge.everything)")

      let after = try database.contents()
      let denied = try await run(database, role, "rollback", "1")
      #expect(denied.status == 73)
      #expect(denied.errors.contains("DELETE on production.orders"))
      #expect(try database.contents() == after)
      #expect(try await run(database, role, "rollback", "1", "--plan").status == 0)
      try database.run(try await additions(database, role, for: "rollback"))
      let rollback = try await run(database, role, "rollback", "1")
      #expect(rollback.status == 0, "\(rollback.everything)")
      #expect(try database.changesOfProduction() == [])
    }
  }

  @Test func `a column that staging lacks must be readable too, since it is kept`() async throws {
    try await TestDatabase.with { database async throws in
      let role = try await makeRole(database)
      try database.run(try await additions(database, role, for: "merge --before-images"))
      try database.run(
        """
        ALTER TABLE production.orders ADD secret text;
        REVOKE ALL ON production.orders FROM "\(role)";
        GRANT SELECT (\(Self.columns)), INSERT (\(Self.columns)), UPDATE (\(Self.columns)) ON production.orders TO "\(role)";
        """
      )
      let refused = try await run(database, role, "--before-images")
      #expect(refused.status == 73, "\(refused.everything)")
      #expect(refused.errors.contains("SELECT (secret) on production.orders"), "\(refused.errors)")
      #expect(try await run(database, role).status == 0)
    }
  }

  @Test func `images of another role are refused with the name of their owner`() async throws {
    try await TestDatabase.with { database async throws in
      let role = try await makeRole(database)
      #expect(try await database.call("--before-images").status == 0)
      try database.run(try await additions(database, role, for: "merge --before-images"))
      try database.run(try await additions(database, role, for: "rollback"))
      try database.run("GRANT SELECT ON ALL TABLES IN SCHEMA admin TO \"\(role)\"")
      let outcome = try await run(database, role, "rollback", "1")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("the owner of before_1_orders"))
    }
  }

  @Test func `cleanup drops images that are old enough, and then their run can't be rolled back`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--before-images").status == 0)
      try database.run("UPDATE admin.before_images SET created_at = created_at - interval '10 days'")
      let young = try await database.call("cleanup", "--keep-task", "--before-images-older-than", "11", "--json")
      #expect(young.status == 0, "\(young.everything)")
      #expect(try young.json()["before_images"] == .array([]))
      #expect(try database.holds("to_regclass('admin.before_1_orders') IS NOT NULL"))
      let old = try await database.call("cleanup", "--keep-task", "--before-images-older-than", "9")
      #expect(old.status == 0)
      #expect(old.output.contains("before-images dropped: before_1_orders"))
      #expect(
        try database.holds(
          "to_regclass('admin.before_1_orders') IS NULL AND to_regclass('admin.before_1_customers') IS NULL"
        )
      )
      let rollback = try await database.call("rollback", "1")
      #expect(rollback.status == 73)
      #expect(rollback.errors.contains("the before-images of run 1 were dropped"))
      #expect(try await database.call("cleanup", "--before-images-older-than", "-1").status == 64)
    }
  }

  @Test func `records of old runs take their images with them`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--before-images").status == 0)
      #expect(try await database.call("cleanup", "--keep-task", "--older-than", "0").status == 0)
      #expect(try database.holds("to_regclass('admin.before_1_orders') IS NULL"))
      #expect(try database.number("SELECT count(*) FROM admin.before_images") == 0)
      #expect(try await database.call("rollback", "1").status == 64)
    }
  }

  @Test func `an admin schema from before there were images gets its table for them`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("DROP TABLE admin.before_images")
      #expect(try await database.call("rollback", "1").status == 73)
      #expect(try await database.call("--before-images").status == 0)
      #expect(try await database.call("rollback", "1").status == 0)
    }
  }
}
