import TestSupport
import Testing

/// Rollbacks of runs whose staging is in another database, and rollbacks that lose their line.
@Suite struct RollbackElsewhereTests {
  /// Keys of a type that staging's database does not have, and one that travels as text.
  private func prepare(_ production: TestDatabase, _ staging: TestDatabase) throws {
    try production.run(
      """
      CREATE SCHEMA production; CREATE TYPE production.kind AS ENUM ('a', 'b');
      CREATE TABLE production.t (kind production.kind, id int, updated_at int, v text, PRIMARY KEY (kind, id));
      CREATE SCHEMA before;
      INSERT INTO production.t SELECT 'a', n, 1, 'old' FROM generate_series(1, 200) n;
      CREATE TABLE before.t AS TABLE production.t;
      """
    )
    try staging.run(
      """
      CREATE SCHEMA staging;
      CREATE TABLE staging.t (kind text, id numeric, updated_at int, v text, _dms_processing_status varchar(20) DEFAULT 'NEW');
      INSERT INTO staging.t SELECT CASE WHEN n > 300 THEN 'b' ELSE 'a' END, n, 2, 'new' FROM generate_series(101, 400) n;
      """
    )
  }

  private func isAsBefore(_ production: TestDatabase) throws -> Bool {
    try production.holds(
      "NOT EXISTS (TABLE production.t EXCEPT TABLE before.t) AND NOT EXISTS (TABLE before.t EXCEPT TABLE production.t)"
    )
  }

  @Test func `staging rows in another database are NEW again`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try prepare(production, staging)
      let elsewhere = ["--staging-database", staging.connectionString]
      #expect(try await production.call(arguments: ["--before-images"] + elsewhere).status == 0)
      let outcome = try await production.call(arguments: ["rollback", "1", "--json"] + elsewhere)
      #expect(outcome.status == 0, "\(outcome.everything)")
      #expect(try outcome.json()["tables"].table("t")["released"].integer == 300)
      #expect(try isAsBefore(production))
      #expect(try staging.staged("NEW", in: "staging.t") == 300)
    }
  }

  /// As production's key is, as staging's, and values of a row, the first as production has it.
  struct Spelling: Sendable, CustomTestStringConvertible {
    let production: String
    var staging: String?
    let (one, same): (String, String)
    var testDescription: String { "\(production) \(one) as \(staging ?? "the same") \(same)" }
  }

  @Test(arguments: [
    Spelling(production: "public.citext", one: "a", same: "A"),
    Spelling(production: "public.citext", staging: "text", one: "a", same: "A"),
    Spelling(production: "public.citext[]", one: "{a}", same: "{A}"),
    Spelling(production: "public.pair", one: "(1.0,x)", same: "(1.00,x)"),
    Spelling(production: "public.span", staging: "text", one: "[1.0,2)", same: "[1.00,2.0)"),
    Spelling(production: "numeric", one: "1.0", same: "1.00"),
  ])
  func `rows are read again however staging spells their keys`(_ spelling: Spelling) async throws {
    try await TestDatabase.withPair { production, staging async throws in
      for database in [production, staging] {
        try database.run(
          "CREATE EXTENSION citext SCHEMA public; CREATE TYPE public.pair AS (n numeric, t text); CREATE TYPE public.span AS RANGE (subtype = numeric)"
        )
      }
      try production.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (k \(spelling.production) PRIMARY KEY, v text, updated_at int);
        INSERT INTO production.t VALUES ('\(spelling.one)', 'old', 1)
        """
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (k \(spelling.staging ?? spelling.production), v text, updated_at int,
                                                       _dms_processing_status varchar(20) DEFAULT 'NEW');
        INSERT INTO staging.t VALUES ('\(spelling.same)', 'new', 2);
        """
      )
      let elsewhere = ["--staging-database", staging.connectionString]
      #expect(try await production.call(arguments: ["--before-images"] + elsewhere).status == 0)
      // Somebody has marked a row whose key is none: it is in nobody's way.
      if spelling.staging == "text", spelling.production == "public.span" {
        try staging.run("INSERT INTO staging.t VALUES ('none', 'new', 2, 'PROCESSED')")
      }
      let rollback = try await production.call(arguments: ["rollback", "1", "--json"] + elsewhere)
      #expect(rollback.status == 0, "\(rollback.transcript)")
      let table = try rollback.json()["tables"].table("t")
      #expect(table["restored"].integer == 1 && table["released"].integer == 1, "\(rollback.transcript)")
      #expect(!rollback.errors.contains("no staging rows"), "\(rollback.transcript)")
      #expect(try staging.staged("NEW", in: "staging.t") == 1)
      let merge = try await production.call(arguments: elsewhere + ["--json"])
      #expect(try merge.json()["totals"]["updated"].integer == 1, "\(merge.transcript)")
    }
  }

  @Test func `killed between the two commits, staging rows are NEW rather than lost, and the next try goes on`()
    async throws
  {
    try await TestDatabase.withPair { production, staging async throws in
      try prepare(production, staging)
      let elsewhere = ["--staging-database", staging.connectionString]
      #expect(try await production.call(arguments: ["--before-images"] + elsewhere).status == 0)
      // Production's commit, after the last statement has made constraints deferred again, waits for a lock.
      try production.run(
        """
        CREATE FUNCTION production.linger() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON admin.before_images DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION production.linger();
        CREATE FUNCTION production.defer() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN NULL; END';
        CREATE TRIGGER defer BEFORE UPDATE ON admin.before_images EXECUTE FUNCTION production.defer();
        """
      )
      let other = try production.connect()
      try other.run("SELECT pg_advisory_lock(4711)")
      let rollback = try production.launch(["rollback", "1", "--batch", "100", "--lock-timeout", "0"] + elsewhere)
      try await staging.wait(for: "EXISTS (SELECT FROM staging.t WHERE _dms_processing_status = 'NEW')")
      rollback.send(9)
      _ = try await rollback.outcome()
      try production.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
      )
      try await production.waitForTheEndOfAllSessions()
      try other.run("SELECT pg_advisory_unlock(4711)")
      #expect(try production.holds("(SELECT count(*) FROM production.t WHERE v = 'new') = 300"))
      let second = try await production.call(arguments: ["rollback", "1"] + elsewhere)
      #expect(second.status == 0, "\(second.everything)")
      #expect(try isAsBefore(production))
      #expect(try staging.staged("NEW", in: "staging.t") == 300)
    }
  }

  @Test func `a line that is cut ends the rollback with 74, and the next try goes on`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try prepare(production, staging)
      let elsewhere = ["--staging-database", staging.connectionString]
      #expect(try await production.call(arguments: ["--before-images"] + elsewhere).status == 0)
      let other = try production.connect()
      try other.run("BEGIN; SELECT FROM production.t WHERE id = 150 FOR UPDATE")
      let rollback = try production.launch(["rollback", "1", "--lock-timeout", "0"] + elsewhere)
      try await production.wait(for: TestDatabase.somebodyWaitsForALock)
      try production.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'merge-engine rollback of run 1' AND datname = current_database()"
      )
      let first = try await rollback.outcome()
      #expect(first.status == 74, "\(first.everything)")
      #expect(first.errors.contains("run the rollback again"))
      try other.run("ROLLBACK")
      #expect(try production.runStatuses() == "ROLLED BACK IN PART")
      #expect(try await production.call(arguments: ["rollback", "1"] + elsewhere).status == 0)
      #expect(try isAsBefore(production))
    }
  }
}
