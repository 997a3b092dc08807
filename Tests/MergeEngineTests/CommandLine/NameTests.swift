import TestSupport
import Testing

/// Names with everything that SQL allows, in every kind of database.
@Suite struct NameTests {
  private static let staging = #"Stag"ing schema"#
  private static let production = "Größe; DROP TABLE x"
  private static let admin = "日本 admin"
  private static let table = #"Or"ders %d \ ' Ünï"#

  @Test(arguments: [TestDatabase.Encoding.utf8, .utf8InC, .latin1])
  func `capitals, quotes, spaces and letters beyond ASCII work in every name`(encoding: TestDatabase.Encoding)
    async throws
  {
    try await TestDatabase.with(encoding) { database async throws in
      // Latin 1 has no Japanese.
      let admin = encoding == .latin1 ? "ädmin" : Self.admin
      try database.run(
        """
        CREATE SCHEMA \(quoted(Self.production));
        CREATE TABLE \(quoted(Self.production)).\(quoted(Self.table)) (
          \(quoted("Kéy 1")) text, \(quoted("k\"2")) int, \(quoted("select")) text, \(quoted("Updated At")) timestamp,
          PRIMARY KEY (\(quoted("k\"2")), \(quoted("Kéy 1"))));
        INSERT INTO \(quoted(Self.production)).\(quoted(Self.table)) VALUES ('ä', 1, 'old', '2025-01-01');
        """
      )
      let names = [
        "--staging-schema", Self.staging, "--production-schema", Self.production, "--admin-schema", admin,
      ]
      let files = ["merge-engine.yaml": "version_column: Updated At\n"]
      #expect(try await database.call("init", "--index-updated-at", arguments: names, files: files).status == 0)
      try database.run(
        """
        INSERT INTO \(quoted(Self.staging)).\(quoted(Self.table)) VALUES
        ('ä', 1, 'néw', '2025-01-02'), ('ö', 2, 'néw', '2025-01-02'), ('ü', 3, '', 'infinity')
        """
      )
      let merge = try await database.call(arguments: names + ["--table", Self.table, "--json"], files: files)
      #expect(merge.status == 0)
      #expect(try merge.json()["tables"].table(Self.table)["inserted"].integer == 2)
      #expect(
        try database.sortedRows("TABLE \(quoted(Self.production)).\(quoted(Self.table))") == [
          "(ä,1,néw,\"2025-01-02 00:00:00\")", "(ö,2,néw,\"2025-01-02 00:00:00\")", "(ü,3,\"\",infinity)",
        ]
      )
      let status = try await database.call("status", arguments: names + ["--json"], files: files)
      #expect(try status.json()["tables"].table(Self.table)["processed"].integer == 3)
      #expect(
        try database.number("SELECT processed_records FROM \(quoted(admin)).oracle_pg_migration_status") == 3
      )
      let grants = try await database.call("init", arguments: names + ["--print-grants", "postgres"], files: files)
      try database.run(grants.output)
    }
  }

  private func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }

  @Test func `a line break in a name does not end the comment that a right is printed in`() async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE SCHEMA production; CREATE SCHEMA staging; CREATE SCHEMA admin")
      let name = quoted("x\n; CREATE TABLE public.pwned (); --")
      for schema in ["production", "staging"] {
        try database.run("CREATE TABLE \(schema).\(name) (id int PRIMARY KEY, updated_at int)")
      }
      #expect(try await database.call("init").status == 0)
      for options in [[], ["--optional-grants"]] {
        let grants = try await database.call("init", arguments: ["--print-grants", "postgres"] + options)
        #expect(grants.status == 0, "\(grants.transcript)")
        try database.run(grants.output)
        #expect(try database.count("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0)
      }
    }
  }

  @Test func `the view counts whatever the admin schema is called`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: "id int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1), (2, 1)")
      let outcome = try await database.call("merge", "--admin-schema", "a%s %1$s")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try database.rows("SELECT processed_records FROM \"a%s %1$s\".oracle_pg_migration_status") == ["(2)"])
    }
  }
}
