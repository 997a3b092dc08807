import TestSupport
import Testing

/// What a DBA sees of a merge: who it is, and which locks it holds.
@Suite struct SessionVisibilityTests {
  @Test func `application_name says which run and which worker, and which connection is the control`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      // Uncommitted keys: every worker that comes to one waits, so that all of them can be looked at.
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders FOR UPDATE")
      let merge = try database.launch(["--batch", "100", "--workers", "3", "--quiet"])
      try await database.wait(
        for: """
          3 = (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
               AND \(TestDatabase.isNoRehearsal))
          """
      )
      #expect(
        try database.sortedRows(
          """
          SELECT application_name FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'merge-engine%'
          """
        ) == [
          #"("merge-engine control")"#, #"("merge-engine run 1 worker 1")"#, #"("merge-engine run 1 worker 2")"#,
          #"("merge-engine run 1 worker 3")"#,
        ]
      )
      #expect(try database.holds("SELECT status = 'RUNNING' FROM admin.merge_summary WHERE id = 1"))
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
    }
  }

  /// What makes a merge write in other ways than its usual one.
  enum Way: CaseIterable {
    case usual, atomic, withoutMarks, comparingTies, refusedRows, insertsBesideCDC, foreignKey
  }

  @Test(arguments: Way.allCases)
  func `no transaction of a merge ever holds more on production than a writer's lock`(way: Way) async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      // Locks are held until the end of their transaction, and a deferred trigger looks right before it.
      try database.run(
        """
        CREATE TABLE public.seen (relation text, mode text, application_name text);
        CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          INSERT INTO public.seen
          SELECT c.relname, l.mode, current_setting('application_name')
          FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
          WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'production'::regnamespace;
          RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER look AFTER INSERT OR UPDATE ON production.orders
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.order_id % 50 = 0 OR new.order_id % 50 = 9)
        EXECUTE FUNCTION public.look();
        """
      )
      var arguments = ["--batch", "300", "--quiet"]
      switch way {
      case .usual: break
      case .atomic: arguments.append("--atomic")
      case .withoutMarks: arguments += ["--mark", "none"]
      case .comparingTies: arguments += ["--ties", "compare"]
      case .refusedRows: try database.run("ALTER TABLE production.orders ADD CHECK (amount <> 17.75)")
      case .insertsBesideCDC: try database.run("ALTER TABLE production.orders ALTER amount SET NOT NULL")
      case .foreignKey:
        try database.run(
          "ALTER TABLE production.orders ADD FOREIGN KEY (customer_id) REFERENCES production.customers NOT VALID"
        )
      }
      var cdc: CommandLineProgram.Outcome?
      if way == .insertsBesideCDC {
        // A key that is there only when COPY comes to it: the batch falls back to the exact way.
        let other = try database.connect()
        try other.run("BEGIN; INSERT INTO production.orders VALUES (10, 1, 1, now(), now())")
        let merge = try database.launch(arguments)
        try await database.wait(for: TestDatabase.somebodyWaitsForALock)
        try other.run("COMMIT")
        cdc = try await merge.outcome()
      }
      let outcome = if let cdc { cdc } else { try await database.call(arguments: arguments) }
      #expect(outcome.status == (way == .refusedRows ? 65 : 0))
      #expect(try database.holds("EXISTS (SELECT FROM public.seen WHERE application_name LIKE 'merge-engine run %')"))
      #expect(
        try database.sortedRows("SELECT DISTINCT mode FROM public.seen")
          .filter { !["(AccessShareLock)", "(RowShareLock)", "(RowExclusiveLock)"].contains($0) } == []
      )
    }
  }

  @Test func `while a batch waits no session of the merge holds more than a writer's lock, and CDC goes on`()
    async throws
  {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let merge = try database.launch(["--workers", "2", "--quiet"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      #expect(
        try database.sortedRows(
          """
          SELECT DISTINCT l.mode
          FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a USING (pid)
          WHERE a.datname = current_database() AND a.application_name LIKE 'merge-engine%'
            AND c.relnamespace = 'production'::regnamespace
            -- Whoever waits for a row holds its place in the line with an exclusive lock on that row.
            AND l.locktype = 'relation'
            AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
          """
        ) == []
      )
      // A row that the waiting batch has not written can be changed, inserted and deleted.
      try database.run(
        """
        SET lock_timeout = '5s';
        INSERT INTO production.orders VALUES (99999, 1, 1, now(), now());
        UPDATE production.orders SET amount = 2 WHERE order_id = 99999;
        DELETE FROM production.orders WHERE order_id = 99999;
        """
      )
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
    }
  }
}
