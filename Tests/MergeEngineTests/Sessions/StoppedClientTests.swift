import Foundation
import Libpq
import TestSupport
import Testing

/// A client that is stopped, or whose line carries nothing any more, lets go of everything.
@Suite struct StoppedClientTests {
  /// Sessions of a run that hold locks, but those of the run itself.
  private static let lockHolders = """
    SELECT count(DISTINCT a.pid) FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid
    WHERE a.application_name LIKE 'merge-engine run%' AND a.datname = current_database() AND l.locktype <> 'virtualxid'
    """

  @Test func `a client that is stopped in the middle of a batch lets go within 30 s`() async throws {
    try await TestDatabase.withRows(2000, in: .sleeping) { database in
      // Long enough to stop the client in, and within what a batch may take.
      try database.run(
        """
        CREATE FUNCTION production.linger() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
        CREATE TRIGGER linger AFTER UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION production.linger()
        """
      )
      let merge = try database.launch(["--batch", "500", "--workers", "1"])
      let moment = """
        SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run%' AND state = 'active'
          AND datname = current_database() AND backend_xid IS NOT NULL AND query LIKE 'UPDATE%'
        """
      for _ in 0..<3000 where try database.count(moment) == 0 { try await Task.sleep(for: .milliseconds(1)) }
      merge.send(SIGSTOP)
      let start = ContinuousClock.now
      while try database.count(Self.lockHolders) > 0, ContinuousClock.now - start < .seconds(60) {
        try await Task.sleep(for: .milliseconds(100))
      }
      #expect(ContinuousClock.now - start < .seconds(30))
      merge.send(SIGCONT)
      #expect(try await merge.outcome().status == 0)
      try database.expectEverythingMerged()
    }
  }
}
