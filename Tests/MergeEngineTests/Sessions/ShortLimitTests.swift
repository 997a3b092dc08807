import MergeEngine
import TestSupport
import Testing

/// Roles and databases that leave a session little: time to be set up in, or connections.
@Suite struct ShortLimitTests {
  private func fill(_ database: TestDatabase) throws {
    try database.makePair(
      production: "id int PRIMARY KEY, updated_at int",
      staging: "id int PRIMARY KEY, updated_at int"
    )
    try database.run("INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 500) n")
  }

  @Test(arguments: ["statement_timeout", "idle_session_timeout"])
  func `a limit of the database that is too short for a session to be set up is not the engine's`(setting: String)
    async throws
  {
    try await TestDatabase.with { database in
      try fill(database)
      try database.run("ALTER DATABASE \(database.name) SET \(setting) = '1ms'")
      #expect(try await database.plan().totals.inserted == 500)
      #expect(try await database.merge().totals.inserted == 500)
      #expect(try await database.verify().status == .success)
      for command in ["plan", "merge", "verify", "status"] {
        let outcome = try await database.call(command)
        #expect(outcome.status == 0, "\(command): \(outcome.transcript)")
      }
    }
  }

  @Test func `options of the connection string are kept where limits are added to them`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      try database.run(
        """
        ALTER DATABASE \(database.name) SET statement_timeout = '1ms';
        ALTER TABLE production.t ADD COLUMN zone text DEFAULT current_setting('TimeZone')
        """
      )
      let outcome = try await CommandLineProgram.run([
        "merge", "--database", database.connectionString + " options='-c TimeZone=Asia/Tokyo'",
      ])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try database.rows("SELECT DISTINCT zone FROM production.t") == ["(Asia/Tokyo)"])
    }
  }

  @Test func `two connections are enough for every command`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      let role = "few_\(database.name.suffix(8))"
      try database.run("CREATE ROLE \(role) LOGIN CONNECTION LIMIT 2")
      #expect(try await database.call("init").status == 0)
      try database.run(try await database.call("init", "--print-grants", role).output)
      // Rows of one key in several batches are asked about beside a stream.
      try database.run(
        "ALTER TABLE staging.t DROP CONSTRAINT t_pkey; INSERT INTO staging.t SELECT n, 2 FROM generate_series(1, 500) n"
      )
      try database.run("ALTER TABLE production.t ADD UNIQUE (updated_at, id)")
      for command in ["plan", "merge", "verify"] {
        let outcome = try await CommandLineProgram.run(
          [command, "--database", database.connectionString(role: role), "--json"]
        )
        #expect(outcome.status == 0, "\(command): \(outcome.transcript)")
        #expect(!outcome.errors.contains("not recorded"), "\(outcome.errors)")
      }
      #expect(try database.count("SELECT count(*) FROM production.t WHERE updated_at = 2") == 500)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }
}
