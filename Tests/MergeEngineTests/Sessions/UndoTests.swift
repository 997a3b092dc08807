import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// What undoes a batch is itself under the batch's time limit, which may go off in the middle of it.
@Suite struct UndoTests {
  @Test func `a rollback that is cancelled is sent again, until the transaction is over`() async throws {
    try await TestDatabase.with { database async throws in
      let connection = try Connection(to: database.target, applicationName: "undo") { _ in }
      let connections = WorkerConnections(production: connection, staging: connection)
      let process = connection.backendProcessID
      try database.run("CREATE TABLE public.over (n int)")
      let connectionString = database.connectionString
      let cancelling = Task {
        try await onItsOwnThread {
          try TestDatabase(connectionString: connectionString).run(
            """
            DO $$ BEGIN
              WHILE NOT EXISTS (SELECT FROM public.over) LOOP
                PERFORM pg_cancel_backend(\(process)), pg_sleep(0.001);
              END LOOP;
            END $$
            """
          )
        }
      }
      for _ in 0..<500 {
        do {
          try connection.execute("BEGIN", "beginning")
          _ = try connection.query("SELECT count(*) FROM generate_series(1, 1000)", "counting")
        } catch {
          #expect((error as? PostgresError)?.sqlState == .queryCanceled)
        }
        try connections.undo("ROLLBACK", "undoing")
        #expect(!connection.isInTransaction)
      }
      try database.run("INSERT INTO public.over VALUES (1)")
      _ = try await cancelling.value
    }
  }
}
