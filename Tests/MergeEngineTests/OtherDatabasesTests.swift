import Foundation
import TestSupport
import Testing

/// Values whose binary form means something else in another database.
@Suite struct OtherDatabasesTests {
  /// The same names in another order, so that their numbers differ.
  private static func objects(_ names: [String]) -> String {
    names.map { "CREATE TABLE public.\($0) (n int);" }.joined() + "CREATE TYPE public.mood AS ENUM ('calm');"
  }

  private static let columns =
    "id int PRIMARY KEY, a regclass, b regtype, c regclass[], d regrole, e regconfig, updated_at timestamp"
  private static let rows = """
    INSERT INTO staging.t VALUES
      (1, 'customers', 'mood', '{orders,customers}', 'pg_monitor', 'german', '2025-01-01'),
      (2, 'orders', NULL, NULL, NULL, NULL, '2025-01-01'), (3, 'elsewhere', NULL, NULL, NULL, NULL, '2025-01-01');
    """
  private static let expected = ["(1,customers,mood,\"{orders,customers}\",pg_monitor,german)", "(2,orders,,,,)"]

  private func fill(_ production: TestDatabase, _ staging: TestDatabase) throws {
    try production.run(
      """
      \(Self.objects(["padding", "customers", "orders"]))
      CREATE SCHEMA production; CREATE TABLE production.t (\(Self.columns));
      """
    )
    try staging.run(
      """
      \(Self.objects(["orders", "elsewhere", "customers"]))
      CREATE SCHEMA staging; CREATE TABLE staging.t (\(Self.columns));
      \(Self.rows)
      """
    )
  }

  private static let found = "SELECT id, a, b, c, d, e FROM production.t ORDER BY id"

  @Test func `names of tables, types, roles and configurations stand for production's own`() async throws {
    try await TestDatabase.withPair { production, staging in
      try fill(production, staging)
      let there = ["--staging-database", staging.connectionString]
      let plan = try await production.call("plan", arguments: there + ["--json"])
      #expect(try plan.json()["totals"]["errors"].integer == 1, "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      #expect(merge.status == 65, "\(merge.transcript)")
      #expect(try production.rows(Self.found) == Self.expected)
      #expect(
        try production.rows("SELECT sqlstate, message LIKE '%elsewhere%' FROM admin.merge_errors") == [
          "(42P01,t)"
        ]
      )
      let verify = try await production.call("verify", arguments: there)
      #expect(verify.output.contains("as it should be, except for 1 row that stood refused"), "\(verify.transcript)")
    }
  }

  @Test func `a snapshot holds them as names too`() async throws {
    try await TestDatabase.withPair { production, staging in
      try fill(production, staging)
      let folder = try SnapshotFolder()
      try staging.run("CREATE SCHEMA production")
      #expect(try await staging.call("snapshot", arguments: ["save", folder.path]).status == 0)
      let replay = try await production.call("replay", arguments: [folder.path])
      #expect(replay.status == 65, "\(replay.transcript)")
      #expect(try production.rows(Self.found) == Self.expected)
    }
  }

  @Test func `a plan whose sample production can't read still counts`() async throws {
    try await TestDatabase.withPair { production, staging in
      for (database, schema, labels) in [(production, "production", "'a'"), (staging, "staging", "'a', 'c'")] {
        try database.run(
          """
          CREATE TYPE public.e AS ENUM (\(labels)); CREATE SCHEMA \(schema);
          CREATE TABLE \(schema).t (id int PRIMARY KEY, x public.e, updated_at timestamp);
          """
        )
      }
      try production.run("INSERT INTO production.t (id, updated_at) VALUES (1, '2024-01-01')")
      try staging.run("INSERT INTO staging.t VALUES (1, 'c', '2025-01-01'), (2, 'a', '2025-01-01')")
      let there = ["--staging-database", staging.connectionString, "--json"]
      let plan = try await production.call("plan", arguments: there)
      #expect(plan.status == 0, "\(plan.transcript)")
      let merge = try await production.call("merge", arguments: there)
      for count in ["inserted", "updated", "errors"] {
        #expect(try plan.json()["totals"][count].integer == merge.json()["totals"][count].integer, "\(count)")
      }
    }
  }
}
