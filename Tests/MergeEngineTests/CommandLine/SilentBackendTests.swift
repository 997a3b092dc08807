import Foundation
import PrivateCluster
import TestSupport
import Testing

/// A server process that answers nothing, as one whose storage hangs.
@Suite struct SilentBackendTests {
  /// A server of the test's own: making or dropping any database waits until every backend of the server has heard of it.
  private func withOwnServer(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster in
      try await body(TestDatabase(connectionString: cluster.connectionString()))
    }
  }

  /// Stops a backend of the test's own server, and always lets it go on again.
  private func withSilenced(_ processID: Int, _ body: () async throws -> Void) async throws {
    let backend = Int32(processID)
    #expect(kill(backend, SIGSTOP) == 0)
    defer { kill(backend, SIGCONT) }
    try await body()
  }

  /// Ends a program that would hang, so that the test fails instead of waiting for ever.
  private func outcome(of merge: CommandLineProgram) async throws -> CommandLineProgram.Outcome {
    let watchdog = Task {
      try await Task.sleep(for: .seconds(180))
      merge.send(SIGKILL)
    }
    defer { watchdog.cancel() }
    return try await merge.outcome()
  }

  private static let worker = "application_name LIKE 'merge-engine run % worker 1'"

  private func processID(of condition: String, _ database: TestDatabase) throws -> Int {
    try #require(
      try database.number("SELECT min(pid) FROM pg_stat_activity WHERE datname = current_database() AND \(condition)")
    )
  }

  /// A merge whose only worker waits for a row that `other` holds.
  private func startBlocked(_ database: TestDatabase, _ arguments: [String] = []) async throws -> CommandLineProgram {
    let merge = try database.launch(
      ["--workers", "1", "--batch", "300", "--statement-timeout", "1000", "--json"] + arguments
    )
    try await database.wait(for: TestDatabase.somebodyWaitsForALock)
    return merge
  }

  @Test func `a worker whose server falls silent is given up, and the run goes on with a new one`() async throws {
    try await withOwnServer { database async throws in
      try await database.makeGuideTables()
      try database.fillGuideTables()
      try database.expectGuideResult()
      let other = try database.session()
      try other.execute("BEGIN; SELECT FROM production.orders WHERE order_id = 1998 FOR UPDATE", "holding a row")
      let merge = try await startBlocked(database)
      let silent = try processID(of: Self.worker, database)
      try await withSilenced(silent) {
        try other.execute("ROLLBACK", "letting go")
        // Silent for longer than the statement may take and 15 seconds more: a new connection is there.
        try await database.wait(
          for:
            "EXISTS (SELECT FROM pg_stat_activity WHERE pid <> \(silent) AND datname = current_database() AND \(Self.worker))"
        )
      }
      let outcome = try await outcome(of: merge)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.errors.contains("the server has sent nothing for 16.0 s"))
      #expect(try database.differencesFromExpected() == 0)
      #expect(try outcome.json()["totals"]["read"].integer == 2500)
      #expect(try database.staged("PROCESSED") == 2000)
    }
  }

  @Test func `a silent server that keeps its locks fails the table with a clear message, and another run goes on`()
    async throws
  {
    try await withOwnServer { database async throws in
      try await database.makeGuideTables()
      try database.fillGuideTables()
      try database.expectGuideResult()
      let other = try database.session()
      try other.execute("BEGIN; SELECT FROM production.orders WHERE order_id = 1998 FOR UPDATE", "holding a row")
      let merge = try await startBlocked(database, ["--lock-timeout", "100"])
      try await withSilenced(try processID(of: Self.worker, database)) {
        let outcome = try await outcome(of: merge)
        #expect(outcome.status == 74, "\(outcome.errors)")
        #expect(outcome.errors.contains("SQLSTATE 55P03"))
        #expect(try outcome.json()["status"].text == "FAILED")
        #expect(try database.runStatuses() == "FAILED")
      }
      try other.execute("ROLLBACK", "letting go")
      try await database.waitForTheEndOfAllSessions()
      #expect(try await database.call("--quiet").status == 0)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `a silent server does not keep a run from being interrupted`() async throws {
    try await withOwnServer { database async throws in
      try await database.makeGuideTables()
      try database.fillGuideTables()
      let other = try database.session()
      try other.execute("BEGIN; SELECT FROM production.orders WHERE order_id = 1998 FOR UPDATE", "holding a row")
      let merge = try await startBlocked(database, ["--statement-timeout", "0"])
      try await withSilenced(try processID(of: Self.worker, database)) {
        merge.send(SIGTERM)
        let outcome = try await outcome(of: merge)
        #expect(outcome.status == 143)
        #expect(try database.runStatuses() == "ABORTED")
      }
    }
  }

  @Test func `a run whose control connection falls silent has its old session ended, and goes on with its locks`()
    async throws
  {
    try await withOwnServer { database async throws in
      try await database.makeGuideTables()
      try database.fillGuideTables()
      try database.expectGuideResult()
      let other = try database.session()
      try other.execute("BEGIN; SELECT FROM production.orders WHERE order_id = 1998 FOR UPDATE", "holding a row")
      // The batch is tried again for as long as the row is held.
      let merge = try database.launch(
        ["--workers", "1", "--batch", "300", "--lock-timeout", "0", "--statement-timeout", "1000", "--json"]
      )
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let control = "application_name = 'merge-engine control'"
      let silent = try processID(of: control, database)
      try await withSilenced(silent) {
        try await Task.sleep(for: .seconds(3))
        try other.execute("ROLLBACK", "letting go")
        // The new connection is there, and the silent one holds the locks as long as it can't be ended.
        try await database.wait(
          for:
            "EXISTS (SELECT FROM pg_stat_activity WHERE pid <> \(silent) AND datname = current_database() AND \(control))"
        )
        try await Task.sleep(for: .seconds(1))
      }
      let outcome = try await outcome(of: merge)
      #expect(outcome.status == 0, "\(outcome.status) \(outcome.errors)")
      #expect(outcome.errors.contains("control connection lost, connecting again"))
      #expect(try outcome.json()["totals"]["read"].integer == 2500)
      #expect(try database.differencesFromExpected() == 0)
    }
  }
}
