import Foundation
import MergeEngine
import TestSupport
import Testing

/// Somebody changes a table while a merge is running: what was planned does not hold any more, and no batch may go by it.
@Suite struct ChangedTableTests {
  private static let rowCount = 2000
  private static let columns = "k int PRIMARY KEY, n bigint, w text, updated_at timestamp"
  private static let staged = "k int, n bigint, w text, updated_at timestamp"

  /// 1,000 rows in production, and 2,000 in staging, all newer or new.
  private static func fill(_ database: TestDatabase) throws {
    try database.makePair(production: columns, staging: staged)
    try database.run(
      "INSERT INTO production.t SELECT n, 0, 'p', '2024-01-01' FROM generate_series(1, \(rowCount / 2)) AS n"
    )
    try database.run(
      "INSERT INTO staging.t SELECT n, n, 's', '2024-02-01' FROM generate_series(1, \(rowCount)) AS n"
    )
  }

  private static let slowly = ["--batch", "100", "--workers", "1", "--max-rows-per-second", "400", "--json"]

  /// Changes something when a merge has done some batches, and lets it end.
  private static func change(_ statements: String, of database: TestDatabase, during merge: CommandLineProgram)
    async throws -> CommandLineProgram.Outcome
  {
    try await database.wait(for: "(SELECT sum(records_read) FROM admin.merge_logs) >= 200")
    try database.run(statements)
    return try await merge.outcome()
  }

  private static func change(_ statements: String, of database: TestDatabase) async throws
    -> CommandLineProgram.Outcome
  {
    #expect(try await database.call("init").status == 0)
    return try await change(statements, of: database, during: database.launch(slowly))
  }

  /// Rows of production that are neither as they were nor as staging has them.
  private static let wrong = """
    SELECT count(*) FROM production.t AS p
    WHERE (p.n, p.w, p.updated_at) IS DISTINCT FROM (0, 'p', timestamp '2024-01-01')
      AND (p.n, p.w, p.updated_at) IS DISTINCT FROM (p.k, 's', timestamp '2024-02-01')
      AND (p.n, p.w, p.updated_at) IS DISTINCT FROM (p.k, 'n', timestamp '2024-03-01')
    """

  @Test(arguments: [
    "ALTER TABLE staging.t ALTER n TYPE float8",
    "ALTER TABLE staging.t ALTER k TYPE real",
    "ALTER TABLE production.t ALTER n TYPE float8", "ALTER TABLE production.t ALTER n TYPE numeric",
    "ALTER TABLE production.t ALTER n TYPE int",
    "ALTER TABLE production.t ADD note text; ALTER TABLE staging.t ADD note text",
    "BEGIN; ALTER TABLE staging.t RENAME n TO old; ALTER TABLE staging.t ADD n bigint DEFAULT 7; ALTER TABLE staging.t DROP old; COMMIT",
    """
    BEGIN; CREATE TABLE public.kept AS TABLE staging.t; DROP TABLE staging.t CASCADE;
    CREATE TABLE staging.t AS
      SELECT k, n::float8 AS n, 'n'::text AS w, timestamp '2024-03-01' AS updated_at, _dms_processing_status FROM public.kept; COMMIT
    """,
    """
    CREATE FUNCTION production.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
    CREATE TRIGGER swallow BEFORE INSERT OR UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION production.swallow()
    """,
    "CREATE RULE nothing AS ON UPDATE TO production.t WHERE NEW.k % 7 = 0 DO INSTEAD NOTHING",
    "ALTER TABLE production.t DROP CONSTRAINT t_pkey; INSERT INTO production.t SELECT 6000, 0, 'p', '2024-01-01' FROM generate_series(1, 2)",
    """
    BEGIN; ALTER TABLE production.t RENAME TO former; ALTER INDEX production.t_pkey RENAME TO former_pkey;
    CREATE TABLE production.t (LIKE production.former INCLUDING ALL); COMMIT
    """,
  ])
  func `no batch goes by what was planned before a change, and the run says so`(_ statements: String) async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      let outcome = try await Self.change(statements, of: database)
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.transcript.contains("was changed while the merge was running"), "\(outcome.transcript)")
      #expect(try database.count(Self.wrong) == 0)
      let totals = try outcome.json()["totals"]
      let known = ["read", "inserted", "updated", "stale"].compactMap { totals[$0].integer }
      #expect(known.count == 4 && known.allSatisfy { $0 >= 0 } && known[3] == 0, "\(known)")
    }
  }

  /// The server says so of the first row, in words that say nothing of the reason.
  @Test(arguments: [
    "ALTER TABLE production.t ALTER w TYPE int USING 0", "ALTER TABLE production.t DROP updated_at",
    "ALTER TABLE production.t RENAME w TO words; ALTER TABLE production.t ADD w bytea",
    "ALTER TABLE production.t RENAME TO former", "DROP TABLE staging.t",
  ])
  func `where the server refuses every row of a changed table the change is told, too`(_ statements: String)
    async throws
  {
    try await TestDatabase.with { database in
      try Self.fill(database)
      let outcome = try await Self.change(statements, of: database)
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.transcript.contains("was changed while the merge was running"), "\(outcome.transcript)")
    }
  }

  @Test func `the same command again merges the rest, by a plan of its own`() async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      let outcome = try await Self.change("ALTER TABLE staging.t ALTER n TYPE numeric", of: database)
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(try await database.call().status == 0)
      #expect(
        try database.holds(
          "NOT EXISTS (SELECT FROM staging.t AS s LEFT JOIN production.t AS p USING (k) WHERE p.n IS DISTINCT FROM s.n)"
        )
      )
    }
  }

  @Test func `a trigger that comes to a single partition is one of production's`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns, staging: Self.staged)
      try database.run(
        """
        DROP TABLE production.t;
        CREATE TABLE production.t (\(Self.columns)) PARTITION BY RANGE (k);
        CREATE TABLE production.low PARTITION OF production.t FOR VALUES FROM (0) TO (1001);
        CREATE TABLE production.high PARTITION OF production.t FOR VALUES FROM (1001) TO (9999);
        INSERT INTO staging.t SELECT n, n, 's', '2024-02-01' FROM generate_series(1, \(Self.rowCount)) AS n
        """
      )
      let outcome = try await Self.change(
        """
        CREATE FUNCTION production.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER swallow BEFORE INSERT ON production.high FOR EACH ROW EXECUTE FUNCTION production.swallow()
        """,
        of: database
      )
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["stale"].integer == 0)
    }
  }

  @Test(arguments: ["ALTER TABLE staging.t ALTER n TYPE float8", "ALTER TABLE staging.t ADD note text"])
  func `the same of staging in another database`(_ statements: String) async throws {
    try await TestDatabase.withPair { database, staging in
      try database.run("CREATE SCHEMA production; CREATE TABLE production.t (\(Self.columns))")
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (\(Self.staged));
        INSERT INTO staging.t SELECT n, n, 's', '2024-02-01' FROM generate_series(1, \(Self.rowCount)) AS n
        """
      )
      let there = ["--staging-database", staging.connectionString]
      let merge = try database.launch(Self.slowly + there)
      try await database.wait(for: "to_regclass('admin.merge_logs') IS NOT NULL")
      try await database.wait(for: "(SELECT sum(records_read) FROM admin.merge_logs) >= 200")
      try database.run("ALTER TABLE production.t ADD note text")
      try staging.run(statements)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.transcript.contains("was changed while the merge was running"), "\(outcome.transcript)")
      #expect(try database.count(Self.wrong) == 0)
      #expect(try await database.call(arguments: there).status == 0)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE n = k AND w = 's'") == Self.rowCount)
    }
  }

  @Test(arguments: [
    "ALTER TABLE production.t ADD note text DEFAULT 'x'",
    "CREATE INDEX ON production.t (n); ALTER TABLE production.t ADD CHECK (n >= 0)",
    "REINDEX TABLE CONCURRENTLY production.t", "ANALYZE production.t; VACUUM FULL production.t",
  ])
  func `what only is added disturbs nothing`(_ statements: String) async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      for statement in statements.split(separator: ";").dropLast() { try database.run(String(statement)) }
      let last = statements.split(separator: ";").last.map(String.init) ?? ""
      let outcome = try await Self.change(last, of: database)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE w = 's'") == Self.rowCount)
    }
  }

  @Test func `rows that a policy comes to hide are not called read`() async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      let role = "merger_\(database.name.suffix(8))"
      try database.run("CREATE ROLE \"\(role)\" LOGIN")
      #expect(try await database.call("init").status == 0)
      try database.run(try await database.call("init", "--print-grants", role).output)
      let merge = try CommandLineProgram(Self.slowly + ["--database", database.connectionString(role: role)])
      let outcome = try await Self.change(
        "ALTER TABLE staging.t ENABLE ROW LEVEL SECURITY; CREATE POLICY even ON staging.t USING (k % 2 = 0)",
        of: database,
        during: merge
      )
      #expect(outcome.status == 74, "\(outcome.transcript)")
      try database.run("ALTER TABLE staging.t DISABLE ROW LEVEL SECURITY")
      #expect(try await database.call().status == 0)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE w = 's'") == Self.rowCount)
    }
  }

  @Test func `a type that is dropped takes its column with it, which is a change of the table`() async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE TYPE public.mood AS ENUM ('sad', 'glad')")
      try database.makePair(
        production: "k int PRIMARY KEY, e public.mood, updated_at int",
        staging: "k int, e text, updated_at int"
      )
      try database.run("INSERT INTO staging.t SELECT n, 'sad', 1 FROM generate_series(1, \(Self.rowCount)) AS n")
      let outcome = try await Self.change("DROP TYPE public.mood CASCADE", of: database)
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.transcript.contains("was changed while the merge was running"), "\(outcome.transcript)")
    }
  }

  /// Which rows were merged nobody can tell any more.
  @Test(arguments: ["VACUUM FULL staging.t", "ALTER TABLE staging.t SET UNLOGGED", "CLUSTER staging.t USING place"])
  func `that rows are read a second time since staging was rewritten is told, with their number`(_ statement: String)
    async throws
  {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try database.run("CREATE INDEX place ON staging.t (n)")
      let outcome = try await Self.change(statement, of: database)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let report = try outcome.json()
      let again = (report["totals"]["read"].integer ?? 0) - Self.rowCount
      let said = report["findings"].elements.filter { $0["kind"].text == "read_again" }
      #expect(said.count == 1 && again > 0, "\(outcome.transcript)")
      #expect(said.first?["message"].text?.hasPrefix("\(again) rows of staging.t") == true, "\(outcome.transcript)")
      #expect(outcome.errors.contains("read a second time"), "\(outcome.transcript)")
      #expect(
        try database.holds("EXISTS (SELECT FROM admin.merge_summary WHERE warnings::text LIKE '%a second time%')")
      )
    }
  }
}
