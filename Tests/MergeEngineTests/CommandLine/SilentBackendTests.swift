import Foundation
import MergeEngine
import TestSupport
import Testing

/// A server process that answers nothing, as one whose storage hangs.
@Suite struct SilentBackendTests {
  private static let worker = "application_name LIKE 'merge-engine run % worker 1'"

  /// Guide tables on a server of the test's own, with a row that `holder` holds: making or dropping any database waits
  /// until every backend of the server has heard of it.
  private func withHeldRow(
    _ body: (_ database: TestDatabase, _ holder: TestDatabase) async throws -> Void
  ) async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try await database.makeGuideTables()
      try database.fillGuideTables()
      try database.expectGuideResult()
      let holder = try database.connect()
      try holder.run("BEGIN; SELECT FROM production.orders WHERE order_id = 1998 FOR UPDATE")
      try await body(database, holder)
    }
  }

  /// Begins a merge whose only worker waits for the held row, and which has less patience than usual.
  private func startBlocked(
    _ database: TestDatabase,
    stop: StopSignal = StopSignal(),
    _ change: (inout MergeOptions) -> Void = { _ in }
  ) async throws -> TestDatabase.RunningMerge {
    let merge = database.start(stop: stop) {
      $0.workers = 1
      $0.batchRows = 300
      // The statement's limit comes first: this one only says for how long, ten minutes, the batch is tried again.
      $0.lockTimeoutMilliseconds = 100_000
      $0.statementTimeoutMilliseconds = 1000
      change(&$0)
    } patience: {
      #expect($0.silenceGraceSeconds == 15 && $0.cancelGraceSeconds == 10)
      $0.silenceGraceSeconds = 0.5
      $0.cancelGraceSeconds = 0.5
    }
    try await database.wait(for: TestDatabase.somebodyWaitsForALock)
    return merge
  }

  /// Stops the backend for which a condition holds, and always lets it go on again.
  ///
  /// On a busy machine the run itself may find a session too slow and end it just now. A process that has ended between
  /// the question and the signal takes the signal all the same until it is reaped, so it is asked for again: what is
  /// stopped and still there stays there.
  private func withSilenced(
    _ condition: String,
    _ database: TestDatabase,
    _ body: (_ processID: Int) async throws -> Void
  ) async throws {
    let backends = "FROM pg_stat_activity WHERE datname = current_database() AND \(condition)"
    while true {
      try await database.wait(for: "EXISTS (SELECT \(backends))")
      guard let backend = try database.number("SELECT min(pid) \(backends)") else { continue }
      kill(Int32(backend), SIGSTOP)
      defer { kill(Int32(backend), SIGCONT) }
      guard try database.holds("EXISTS (SELECT \(backends) AND pid = \(backend))") else { continue }
      return try await body(backend)
    }
  }

  /// A condition: there is another session like the silent one.
  private func another(_ condition: String, than silent: Int) -> String {
    "EXISTS (SELECT FROM pg_stat_activity WHERE pid <> \(silent) AND datname = current_database() AND \(condition))"
  }

  @Test func `a worker whose server falls silent is given up, and the run goes on with a new one once it has ended`()
    async throws
  {
    try await withHeldRow { database, holder in
      let merge = try await startBlocked(database)
      try await withSilenced(Self.worker, database) { silent in
        try holder.run("ROLLBACK")
        // What it may still commit must be in the ledger before anything is read again.
        try await Task.sleep(for: .seconds(4))
        #expect(try !database.holds(another(Self.worker, than: silent)))
      }
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(try database.differencesFromExpected() == 0)
      #expect(report.totals.read == 2500)
      #expect(try database.staged("PROCESSED") == 2000)
    }
  }

  @Test func `a silent server that keeps its locks fails the run with a clear message, and another run goes on`()
    async throws
  {
    try await withHeldRow { database, holder in
      let merge = try await startBlocked(database) { $0.reconnectLimitSeconds = 2 }
      try await withSilenced(Self.worker, database) { _ async throws in
        let error = await #expect(throws: MergeFailure.self) { try await database.finish(merge) }
        if case .busy? = error {} else { Issue.record("\(String(describing: error))") }
        #expect(try database.runStatuses() == "FAILED")
      }
      try holder.run("ROLLBACK")
      try await database.waitForTheEndOfAllSessions()
      #expect(try await database.merge().status == .success)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `a silent server does not keep a run from being interrupted`() async throws {
    try await withHeldRow { database, holder in
      let stop = StopSignal()
      let merge = try await startBlocked(database, stop: stop) { $0.statementTimeoutMilliseconds = 0 }
      try await withSilenced(Self.worker, database) { _ async throws in
        stop.request(signal: SIGTERM)
        #expect(try await database.finish(merge).status == .aborted)
        #expect(try database.runStatuses() == "ABORTED")
      }
    }
  }

  @Test func `a run whose control connection falls silent has its old session ended, and goes on with its locks`()
    async throws
  {
    try await withHeldRow { database, holder in
      // The batch is tried again for as long as the row is held.
      let merge = try await startBlocked(database)
      let control = "application_name = 'merge-engine control'"
      try await withSilenced(control, database) { silent in
        // The new connection is there, and the silent one holds the locks as long as it can't be ended.
        try await database.wait(for: another(control, than: silent))
        try holder.run("ROLLBACK")
      }
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 2500)
      #expect(try database.differencesFromExpected() == 0)
    }
  }
}
