import Foundation
import TestSupport
import Testing

/// Rows that a policy hides are not taken for rows that are not there, by no command.
@Suite struct HiddenRowsTests {
  private func withRole(_ body: (TestDatabase, String) async throws -> Void) async throws {
    try await TestDatabase.with { database async throws in
      let role = "hidden_\(UUID().uuidString.prefix(8).lowercased())"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN; CREATE SCHEMA production;
        CREATE TABLE production.t (id int PRIMARY KEY, v text CHECK (v <> 'bad'), updated_at timestamp);
        CREATE TABLE production.child (id int PRIMARY KEY, t int REFERENCES production.t ON DELETE CASCADE);
        INSERT INTO production.t VALUES (1, 'old', '2025-01-01');
        """
      )
      #expect(try await database.call("init", "--table", "t").status == 0)
      let grants = try await database.call("init", "--table", "t", "--print-grants", role, "--optional-grants")
      try database.run(grants.output + "GRANT SELECT ON production.child TO \(role)")
      try database.run(
        "INSERT INTO staging.t VALUES (1, 'new', '2025-01-02'), (2, 'new', '2025-01-02'), (3, 'bad', '2025-01-02')"
      )
      try await body(database, role)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  private func call(_ database: TestDatabase, _ role: String, _ words: String...) async throws
    -> CommandLineProgram.Outcome
  {
    try await CommandLineProgram.run(words + ["--database", database.connectionString(role: role)])
  }

  private func hide(_ table: String, _ database: TestDatabase) throws {
    try database.run("ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON \(table) USING (false)")
  }

  @Test func `a rollback deletes no row to which a hidden one refers`() async throws {
    try await withRole { database, role in
      #expect(try await call(database, role, "merge", "--before-images").status == 65)
      try database.run("INSERT INTO production.child VALUES (1, 2)")
      try hide("production.child", database)
      for words in [["rollback", "1", "--plan"], ["rollback", "1"]] {
        let outcome = try await CommandLineProgram.run(words + ["--database", database.connectionString(role: role)])
        #expect(outcome.status == 73, "\(outcome.transcript)")
        #expect(outcome.errors.replacing(/\s+/, with: " ").contains("row-level security on production.child"))
      }
      #expect(try database.count("SELECT count(*) FROM production.child") == 1)
    }
  }

  @Test func `a repair deletes no row to which a hidden one refers`() async throws {
    try await withRole { database, role in
      #expect(try await call(database, role, "merge", "--from", "2025-01-01", "--to", "2025-02-01").status == 65)
      try database.run(
        "INSERT INTO production.t VALUES (9, 'extra', '2025-01-03'); INSERT INTO production.child VALUES (1, 9)"
      )
      let file = FileManager.default.temporaryDirectory.appending(path: "\(role).jsonl").path
      defer { try? FileManager.default.removeItem(atPath: file) }
      let verified = try await call(
        database,
        role,
        "verify",
        "--from",
        "2025-01-01",
        "--to",
        "2025-02-01",
        "--output",
        file
      )
      #expect(verified.status == 65, "\(verified.transcript)")
      try hide("production.child", database)
      let outcome = try await call(database, role, "repair", file, "--kind", "extra")
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.replacing(/\s+/, with: " ").contains("row-level security on production.child"))
      #expect(try database.count("SELECT count(*) FROM production.child") == 1)
    }
  }

  @Test func `no command answers as if hidden rows were not there`() async throws {
    try await withRole { database, role in
      #expect(try await call(database, role, "merge").status == 65)
      let folder = FileManager.default.temporaryDirectory.appending(path: role).path
      defer { try? FileManager.default.removeItem(atPath: folder) }
      func expectRefusals(_ commands: [[String]]) async throws {
        for words in commands {
          let outcome = try await CommandLineProgram.run(words + ["--database", database.connectionString(role: role)])
          #expect(outcome.status == 73, "\(words): \(outcome.transcript)")
        }
      }
      for table in ["admin.merge_errors", "admin.merge_progress"] {
        try hide(table, database)
        try await expectRefusals([["status"], ["verify"], ["why", "t", "3"]])
        if table == "admin.merge_errors" { try await expectRefusals([["errors", "list"], ["errors", "retry"]]) }
        try database.run("ALTER TABLE \(table) DISABLE ROW LEVEL SECURITY")
      }
      try hide("staging.t", database)
      try await expectRefusals([["status"], ["snapshot", "save", folder], ["verify"], ["why", "t", "3"]])
      #expect(!FileManager.default.fileExists(atPath: folder))
      try database.run("ALTER TABLE staging.t DISABLE ROW LEVEL SECURITY")
      #expect(try await call(database, role, "status").status == 65)
    }
  }

  /// Whoever asks to pause may mean the rows that the role sees.
  @Test func `a question of one's own is asked under the database's policies`() async throws {
    try await withRole { database, role in
      try database.run(
        "CREATE TABLE production.busy (n int); INSERT INTO production.busy VALUES (1); GRANT SELECT ON production.busy TO \(role)"
      )
      try hide("production.busy", database)
      let outcome = try await call(
        database,
        role,
        "merge",
        "--pause-while",
        "SELECT EXISTS (SELECT FROM production.busy)"
      )
      #expect(outcome.status == 65, "\(outcome.transcript)")
    }
  }
}
