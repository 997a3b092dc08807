import Foundation
import TestSupport
import Testing

/// Runs that are killed or interrupted in the middle, and the run after.
@Suite struct InterruptionTests {
  private static let orderCount = 6000
  private static let customerCount = 500

  @Test(arguments: [1, 2, 3, 4, 5, 6])
  func `killed at some moment and run again, nothing is lost and nothing is counted twice`(seed: UInt64) async throws {
    try await TestDatabase.with { database async throws in
      try await prepare(database, seed: seed)
      let merge = try database.launch(["--batch", "150", "--workers", "\(seed % 3 + 1)"])
      try await reachMoment(seed, database)
      merge.send(SIGKILL)
      #expect(try await merge.outcome().status == 128 + SIGKILL)
      try openGate(database)
      var second = try await database.call("--json")
      // The server may need a moment to see that the first is gone.
      while second.status == 75 { second = try await database.call("--json") }
      #expect(second.status == 0)
      try checkWhole(database)
      #expect(try database.runStatuses() == "ABORTED SUCCESS")
      #expect(try database.holds("SELECT bool_and(merge_end > merge_start) FROM admin.merge_summary"))
    }
  }

  @Test(arguments: ["status", "merge", "init"])
  func `a run whose process died is closed as ABORTED by the next command`(command: String) async throws {
    try await TestDatabase.with { database async throws in
      let seed: UInt64 = 7
      try await prepare(database, seed: seed)
      let merge = try database.launch(["--batch", "150"])
      try await reachMoment(seed, database)
      merge.send(SIGKILL)
      _ = try await merge.outcome()
      try openGate(database)
      try await database.waitForTheEndOfAllSessions()
      #expect(try database.runStatuses() == "RUNNING")
      #expect(try await database.call(command).status == 0)
      #expect(try database.value("SELECT status FROM admin.merge_summary WHERE id = 1") == "ABORTED")
      #expect(try database.holds("SELECT merge_end > merge_start FROM admin.merge_summary WHERE id = 1"))
    }
  }

  @Test(arguments: [SIGINT, SIGTERM], [1, 2])
  func `a signal ends the run as ABORTED with its own status, and the next run completes it`(
    signal: Int32,
    seed: UInt64
  ) async throws {
    try await TestDatabase.with { database async throws in
      try await prepare(database, seed: seed)
      let merge = try database.launch(["--batch", "150", "--json"])
      try await reachMoment(seed, database)
      merge.send(signal)
      let first = try await merge.outcome()
      try openGate(database)
      #expect(first.status == 128 + signal)
      #expect(try first.json()["status"].text == "ABORTED")
      #expect(try database.runStatuses() == "ABORTED")
      // What is marked is what is counted: the running batches are rolled back.
      let marked = try database.number(
        """
        SELECT (SELECT count(*) FROM staging.orders WHERE _dms_processing_status <> 'NEW')
             + (SELECT count(*) FROM staging.customers WHERE _dms_processing_status <> 'NEW')
        """
      )
      #expect(try first.json()["totals"]["read"].integer == marked)
      #expect(try database.number("SELECT sum(records_read) FROM admin.merge_logs") == marked)
      #expect(try await database.call("--quiet").status == 0)
      try checkWhole(database)
      #expect(try database.runStatuses() == "ABORTED SUCCESS")
    }
  }

  @Test func `a signal is obeyed by a run that waits for a lock, while the lock is held`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let merge = try database.launch(["--lock-timeout", "0"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      merge.send(SIGTERM)
      #expect(try await merge.outcome().status == 143)
      #expect(try database.runStatuses() == "ABORTED")
      try other.run("ROLLBACK")
    }
  }

  @Test(arguments: [SIGINT, SIGKILL])
  func `an atomic run that is interrupted has changed nothing`(signal: Int32) async throws {
    try await TestDatabase.with { database async throws in
      let seed: UInt64 = 8
      try await prepare(database, seed: seed)
      let orders = try database.versions(of: "production.orders")
      let merge = try database.launch(["--atomic", "--batch", "150"])
      try await reachMoment(seed, database)
      merge.send(signal)
      #expect(try await merge.outcome().status == 128 + signal)
      try openGate(database)
      try await database.waitForTheEndOfAllSessions()
      #expect(try database.versions(of: "production.orders") == orders)
      #expect(try database.staged("NEW") == Self.orderCount)
      #expect(try database.number("SELECT sum(records_read) FROM admin.merge_logs") == 0)
      #expect(try await database.call().status == 0)
      try checkWhole(database)
      #expect(try database.runStatuses() == "ABORTED SUCCESS")
    }
  }

  /// The guide's tables, filled, with a production that stops at the statement the seed says, until the gate is opened.
  ///
  /// A moment counted in statements and not in seconds: it is in the middle on a busy machine too.
  private func prepare(_ database: TestDatabase, seed: UInt64) async throws {
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: Self.orderCount, customerCount: Self.customerCount)
    try database.expectGuideResult()
    var random = SeededGenerator(seed: seed)
    // 40 batches of 150 orders, each with an insert and an update.
    let moment = Int.random(in: 1...70, using: &random)
    try database.run(
      """
      CREATE TABLE production.gate (); INSERT INTO production.gate DEFAULT VALUES;
      CREATE SEQUENCE production.statements;
      CREATE FUNCTION production.stop() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF nextval('production.statements') >= \(moment) THEN
          WHILE EXISTS (SELECT FROM production.gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER stop AFTER INSERT OR UPDATE ON production.orders EXECUTE FUNCTION production.stop();
      """
    )
  }

  /// Waits until the run stands at the gate, and a little longer: other workers may still be at work.
  private func reachMoment(_ seed: UInt64, _ database: TestDatabase) async throws {
    try await database.wait(for: TestDatabase.somebodySleeps)
    try await Task.sleep(for: .milliseconds(Int(seed) * 3))
  }

  private func openGate(_ database: TestDatabase) throws {
    try database.run("DELETE FROM production.gate")
  }

  /// Production is what an undisturbed run makes, and the counts of all runs are those of one.
  private func checkWhole(_ database: TestDatabase) throws {
    #expect(try database.differencesFromExpected() == 0)
    #expect(try database.staged("PROCESSED") == Self.orderCount)
    #expect(
      try database.sortedRows(
        """
        SELECT table_name, sum(records_read), sum(records_inserted), sum(records_updated), sum(records_unchanged),
               sum(records_stale), sum(records_duplicate), sum(records_error)
        FROM admin.merge_logs GROUP BY table_name
        """
      ) == ["(customers,500,150,200,50,100,0,0)", "(orders,6000,1800,2400,600,1200,0,0)"]
    )
  }
}
