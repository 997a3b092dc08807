import TestSupport
import Testing

/// Two databases cannot commit at once: production commits first, and what happens in between costs only time.
@Suite struct StagingElsewhereCrashTests {
  private func prepare(_ production: TestDatabase, _ staging: TestDatabase) throws {
    try production.run(
      """
      CREATE SCHEMA production;
      CREATE TABLE production.t (id int PRIMARY KEY, v text CHECK (v <> 'bad'), updated_at int);
      INSERT INTO production.t SELECT n, 'old', 1 FROM generate_series(1, 400, 2) n;
      """
    )
    try staging.run(
      """
      CREATE SCHEMA staging;
      CREATE TABLE staging.t (id int, v text, updated_at int, _dms_processing_status text DEFAULT 'NEW')
      WITH (fillfactor = 20);
      INSERT INTO staging.t SELECT n, 'new', 2 FROM generate_series(1, 400) n;
      """
    )
  }

  /// Has the commit of marks do something. Deferred triggers of staging itself run before production commits, and so one of them puts
  /// it off once more.
  private static func atCommit(_ statement: String) -> String {
    """
    CREATE TABLE public.later (n int);
    CREATE FUNCTION public.put_off() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN SET CONSTRAINTS ALL DEFERRED; INSERT INTO public.later VALUES (1); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER put_off AFTER UPDATE ON staging.t DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.put_off();
    CREATE FUNCTION public.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(statement); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER act AFTER INSERT ON public.later DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.act();
    """
  }

  /// An error that speaks of the server and not of a row.
  private static let failingCommit = atCommit("PERFORM pg_read_file('no such file today')")

  private func run(_ production: TestDatabase, _ staging: TestDatabase, _ arguments: String...) async throws
    -> CommandLineProgram.Outcome
  {
    try await production.call(arguments: arguments + ["--staging-database", staging.connectionString])
  }

  @Test func `when staging can't commit, nothing is merged again, and the next run makes the marks`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try prepare(production, staging)
      try staging.run(Self.failingCommit)
      let failed = try await run(production, staging, "--json")
      #expect(failed.status == 74)
      #expect(failed.errors.contains("no such file today") && failed.errors.contains("SQLSTATE 58P01"))
      #expect(try production.holds("SELECT count(*) = 400 AND bool_and(v = 'new') FROM production.t"))
      #expect(try staging.staged("NEW", in: "staging.t") == 400)

      try staging.run("DROP TRIGGER act ON public.later")
      let versions = try production.versions(of: "production.t")
      let again = try await run(production, staging, "--json")
      #expect(again.status == 0)
      #expect(try again.json()["totals"]["read"].integer == 0)
      #expect(try production.versions(of: "production.t") == versions)
      #expect(try staging.staged("PROCESSED", in: "staging.t") == 400)
    }
  }

  @Test func `killed between the two commits, the next run goes on, reads nothing twice and makes the marks`()
    async throws
  {
    try await TestDatabase.withPair { production, staging async throws in
      try prepare(production, staging)
      // The mark's commit waits, after production's, for a lock that the test holds.
      try staging.run(Self.atCommit("PERFORM pg_advisory_xact_lock(4711)"))
      let other = try staging.connect()
      try other.run("SELECT pg_advisory_lock(4711)")
      let merge = try production.launch([
        "--batch", "100", "--workers", "1", "--lock-timeout", "0", "--staging-database", staging.connectionString,
      ])
      try await staging.wait(for: TestDatabase.somebodyWaitsForALock)
      let merged = try production.number("SELECT sum(records_read) FROM admin.merge_logs") ?? 0
      #expect(merged > 0 && merged < 400)
      merge.send(9)
      #expect(try await merge.outcome().status == 137)
      // Nobody is left who could commit the marks: the server may notice that only now.
      try staging.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
      )
      try await staging.waitForTheEndOfAllSessions()
      try await production.waitForTheEndOfAllSessions()
      #expect(try staging.staged("NEW", in: "staging.t") == 400)
      try other.run("SELECT pg_advisory_unlock(4711)")

      let versions = try production.sortedRows("SELECT t.xmin, t.* FROM production.t AS t WHERE v = 'new'")
      let again = try await run(production, staging, "--json")
      #expect(again.status == 0)
      #expect(try again.json()["totals"]["read"].integer == 400 - merged)
      #expect(try again.json()["totals"]["inserted"].integer.map { $0 > 0 } == true)
      #expect(try staging.staged("PROCESSED", in: "staging.t") == 400)
      let now = Set(try production.sortedRows("SELECT t.xmin, t.* FROM production.t AS t WHERE v = 'new'"))
      #expect(now.isSuperset(of: versions))
      #expect(try production.holds("SELECT count(*) = 400 AND bool_and(v = 'new') FROM production.t"))
      #expect(try production.runStatuses() == "ABORTED SUCCESS")
    }
  }

  @Test func `rows that could not be set back in staging can still be set back`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try prepare(production, staging)
      try staging.run("UPDATE staging.t SET v = 'bad' WHERE id IN (7, 8)")
      #expect(try await run(production, staging, "--quiet").status == 65)
      try staging.run(Self.failingCommit)
      let failed = try await run(production, staging, "errors", "retry")
      #expect(failed.status == 74)
      #expect(failed.errors.contains("no such file today"))
      #expect(try staging.staged("ERROR", in: "staging.t") == 2)
      #expect(try await run(production, staging, "errors", "list", "--json").json()["errors"].elements.count == 2)
      try staging.run("DROP TRIGGER act ON public.later")
      let retry = try await run(production, staging, "errors", "retry", "--json")
      #expect(try retry.json()["released"]["t"].integer == 2)
      try staging.run("UPDATE staging.t SET v = 'new' WHERE v = 'bad'")
      #expect(try await run(production, staging, "--quiet").status == 0)
      #expect(try staging.staged("PROCESSED", in: "staging.t") == 400)
    }
  }

  @Test func `a lost line to staging, or to production, is made again`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try prepare(production, staging)
      for lost in [staging, production] {
        let holder = try production.connect()
        try staging.run("UPDATE staging.t SET _dms_processing_status = 'NEW', updated_at = updated_at + 1")
        try holder.run("BEGIN; SELECT FROM production.t WHERE id = 399 FOR UPDATE")
        let merge = try production.launch([
          "--batch", "100", "--json", "--staging-database", staging.connectionString,
        ])
        try await production.wait(for: TestDatabase.somebodyWaitsForALock)
        try lost.run(
          """
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'merge-engine run %'
          """
        )
        try holder.run("ROLLBACK")
        let outcome = try await merge.outcome()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors.contains("connection lost, reconnecting"))
        #expect(try staging.staged("PROCESSED", in: "staging.t") == 400)
        #expect(
          try production.sortedRows("SELECT updated_at, count(*) FROM production.t GROUP BY 1")
            == staging.sortedRows("SELECT updated_at, count(*) FROM staging.t GROUP BY 1")
        )
      }
    }
  }
}
