import TestSupport
import Testing

/// Servers that allow fewer connections than the run would like to have.
@Suite struct WorkerShortageTests {
  /// Guide tables, and a role that may do the merge on so many connections.
  private func withRole(
    connectionLimit: Int,
    _ body: (TestDatabase, _ connectionString: String) async throws -> Void
  ) async throws {
    try await TestDatabase.with(copyOf: .expectedGuide, in: .sleeping) { database async throws in
      let role = "few_\(database.name.suffix(12))"
      try database.run("CREATE ROLE \(role) LOGIN CONNECTION LIMIT \(connectionLimit)")
      let grants = try await database.call("init", "--print-grants", role)
      try database.run(grants.output)
      try await body(database, database.connectionString(role: role))
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `a run is over when its work is, also for workers that wait for a connection`() async throws {
    try await withRole(connectionLimit: 2) { database, connectionString in
      let outcome = try await CommandLineProgram.run(
        ["--database", connectionString, "--workers", "4", "--batch", "200", "--reconnect-timeout", "600", "--json"]
      )
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.errors == "")
      #expect(try outcome.json()["totals"]["read"].integer == 2500)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `a worker that gets no connection in time is missed with a warning, and the others do its work`()
    async throws
  {
    try await withRole(connectionLimit: 2) { database, connectionString in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 1998 FOR UPDATE")
      let merge = try CommandLineProgram(
        ["--database", connectionString, "--workers", "2", "--batch", "200", "--reconnect-timeout", "1", "--json"]
      )
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      try await eventually("the shortage") {
        try merge.errorsSoFar().contains("a worker got no connection; the others continue without it") ? () : nil
      }
      try other.run("COMMIT")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.errors.contains("a worker got no connection; the others continue without it"))
      #expect(outcome.errors.contains("too many connections for role"))
      #expect(try outcome.json()["totals"]["read"].integer == 2500)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `when no worker gets a connection the run ends with 69, and nothing is merged`() async throws {
    try await withRole(connectionLimit: 1) { database, connectionString in
      let outcome = try await CommandLineProgram.run(
        ["--database", connectionString, "--workers", "2", "--reconnect-timeout", "1"]
      )
      #expect(outcome.status == 69, "\(outcome.status) \(outcome.errors)")
      #expect(try database.runStatuses() == "FAILED")
      #expect(try database.staged("NEW") == 2000)
    }
  }
}
