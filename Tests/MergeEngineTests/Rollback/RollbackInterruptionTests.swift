import Foundation
import TestSupport
import Testing

/// Rollbacks that are killed or interrupted, and runs that were before they are rolled back.
@Suite struct RollbackInterruptionTests {
  /// The guide's tables with a production that stops at its so-manieth statement once the gate is closed.
  private func prepare(_ database: TestDatabase, seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let moment = Int.random(in: 1...40, using: &random)
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: 6000)
    try database.keepProduction()
    try database.run(
      """
      CREATE TABLE public.gate (); CREATE SEQUENCE public.statements;
      CREATE FUNCTION public.stop() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM public.gate) AND nextval('public.statements') >= \(moment) THEN
          WHILE EXISTS (SELECT FROM public.gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER stop AFTER INSERT OR UPDATE OR DELETE ON production.orders EXECUTE FUNCTION public.stop();
      """
    )
  }

  private func closeGate(_ database: TestDatabase) throws {
    try database.run("INSERT INTO public.gate DEFAULT VALUES; SELECT setval('public.statements', 1, false)")
  }

  @Test(arguments: [SIGKILL, SIGTERM, SIGINT], [1, 2])
  func `stopped in the middle and run again, nothing of the run is left`(signal: Int32, seed: UInt64) async throws {
    try await TestDatabase.with { database async throws in
      try await prepare(database, seed: seed)
      #expect(try await database.call("--before-images").status == 0)
      try closeGate(database)
      let rollback = try database.launch(["rollback", "1", "--batch", "100", "--json"])
      try await database.wait(for: TestDatabase.somebodySleeps)
      rollback.send(signal)
      let first = try await rollback.outcome()
      #expect(first.status == 128 + signal)
      try database.run("DELETE FROM public.gate")
      try await database.waitForTheEndOfAllSessions()
      if signal == SIGKILL {
        #expect(try database.runStatuses() == "ROLLING BACK")
        #expect(try await database.call("status").output.contains("ROLLED BACK IN PART"))
      } else {
        #expect(try first.json()["status"].text == "ABORTED")
        #expect(try database.runStatuses() == "ROLLED BACK IN PART")
      }
      // What is NEW again in staging is what is gone from production: never one without the other.
      #expect(
        try database.number(
          "SELECT sum(records_restored + records_deleted) FROM admin.before_images WHERE table_name = 'orders'"
        ) == database.staged("NEW")
      )
      let second = try await database.call("rollback", "1")
      #expect(second.status == 0, "\(second.everything)")
      #expect(try database.changesOfProduction() == [])
      #expect(try database.staged("NEW") == 4200)
      #expect(try database.runStatuses() == "ROLLED BACK")
    }
  }

  /// The connection that a rollback is steered and recorded on, beside the one that does the work.
  @Test(arguments: [true, false])
  func `a rollback whose control connection is lost goes on, or says how far it came`(isReachable: Bool) async throws {
    try await TestDatabase.with { database async throws in
      // ALTER DATABASE refuses that for the one that it runs in.
      func allowLogins(_ areAllowed: Bool) throws {
        try database.run("UPDATE pg_database SET datallowconn = \(areAllowed) WHERE datname = current_database()")
      }
      try await prepare(database, seed: 1)
      #expect(try await database.call("--before-images").status == 0)
      try closeGate(database)
      let rollback = database.startRollback(1) {
        $0.merge.batchRows = 100
        $0.merge.reconnectLimitSeconds = isReachable ? 60 : 1
      }
      try await database.wait(for: TestDatabase.somebodySleeps)
      try allowLogins(isReachable)
      try database.run(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%merge_controls%' AND pid <> pg_backend_pid()
        """
      )
      try database.run("DELETE FROM public.gate")
      let report = try await rollback.value
      let undone = try database.count("SELECT sum(records_restored + records_deleted) FROM admin.before_images")
      #expect(report.restored + report.deleted == undone && undone > 0)
      #expect(report.status == (isReachable ? .success : .failed))
      try allowLogins(true)
      if !isReachable {
        #expect(report.failures.contains { $0.contains("What had been rolled back by then is committed") })
        #expect(try await database.rollBack(1).status == .success)
      }
      #expect(try database.changesOfProduction() == [])
      #expect(try database.runStatuses() == "ROLLED BACK")
    }
  }

  @Test(arguments: [[], ["--atomic"]])
  func `a merge that was killed in the middle is taken back as far as it came`(arguments: [String]) async throws {
    try await TestDatabase.with { database async throws in
      try await prepare(database, seed: 5)
      try closeGate(database)
      let merge = try database.launch(["--before-images", "--batch", "150"] + arguments)
      try await database.wait(for: TestDatabase.somebodySleeps)
      merge.send(SIGKILL)
      _ = try await merge.outcome()
      try database.run("DELETE FROM public.gate")
      try await database.waitForTheEndOfAllSessions()
      if arguments.isEmpty { #expect(try database.changesOfProduction() != []) }
      #expect(try await database.call("rollback", "1").status == 0)
      #expect(try database.changesOfProduction() == [])
      #expect(try database.runStatuses() == "ROLLED BACK")
    }
  }
}
