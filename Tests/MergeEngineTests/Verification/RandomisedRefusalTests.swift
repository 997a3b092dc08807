import MergeEngine
import TestSupport
import Testing

/// `plan` against `merge`, over random tables in which production refuses rows for every reason that can be foreseen.
@Suite struct RandomisedRefusalTests {
  @Test(arguments: (0..<24).map { _ in UInt64.random(in: 0..<1_000_000) })
  func `plan counts what merge counts, refused rows included`(_ seed: UInt64) async throws {
    var generator = SeededGenerator(seed: seed)
    let batchRows = [3, 20, 1000].randomElement(using: &generator) ?? 1000
    try await TestDatabase.with { database in
      // A batch that is divided, because the machine is slow, settles fewer duplicates by itself.
      try database.letBatchesWait()
      try database.run(Self.setup)
      try database.run(Self.fill(&generator))
      let plan = try await database.plan { $0.batchRows = batchRows }
      let merge = try await database.merge {
        $0.batchRows = batchRows
        $0.workers = 1
        $0.maxLockMilliseconds = 60_000
      }
      for (planned, merged) in zip(plan.tables, merge.tables) {
        var (planned, merged) = (planned.counts, merged.counts)
        (planned.batches, merged.batches) = (0, 0)
        #expect(planned == merged, "seed \(seed), \(batchRows) rows to a batch")
      }
      #expect(plan.totals.errors > 0)
    }
  }

  private static let setup = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE DOMAIN production.even AS int CHECK (VALUE % 2 = 0);
    CREATE TABLE production.parents (
      id int PRIMARY KEY, name varchar(4) NOT NULL, code int UNIQUE, pair production.even, updated_at int);
    CREATE TABLE production.children (
      id int PRIMARY KEY, parent int REFERENCES production.parents,
      amount numeric(4,1), note text CONSTRAINT fine CHECK (note <> 'bad'), created_at int NOT NULL, updated_at int);
    CREATE TABLE staging.parents (id int, name text, code int, pair int, updated_at int);
    CREATE TABLE staging.children (
      id int, parent int, amount numeric, note text, created_at int, updated_at int);
    """

  /// Half of the keys are in production; one row in ten is bad for one reason, and keys come up to three times.
  private static func fill(_ generator: inout SeededGenerator) -> String {
    var sql = """
      INSERT INTO production.parents SELECT n, 'old', n + 1000, 0, 5 FROM generate_series(1, 20) n;
      INSERT INTO production.children SELECT n, n, 1, 'old', 1, 5 FROM generate_series(1, 20) n;

      """
    func isRare() -> Bool { Int.random(in: 0..<10, using: &generator) == 0 }
    for _ in 0..<60 {
      let id = Int.random(in: 1...40, using: &generator)
      let name = isRare() ? (Bool.random(using: &generator) ? "NULL" : "'too long'") : "'new'"
      // A row of production that staging does not touch has it, or nobody.
      let code = isRare() ? "1000 + \(Int.random(in: 41...50, using: &generator))" : "NULL"
      let version = Int.random(in: 1...10, using: &generator)
      sql += "INSERT INTO staging.parents VALUES (\(id), \(name), \(code), \(isRare() ? 1 : 2), \(version));\n"
    }
    sql += "INSERT INTO production.parents SELECT n, 'old', n + 1000, 0, 5 FROM generate_series(41, 50) n;\n"
    for _ in 0..<120 {
      let id = Int.random(in: 1...60, using: &generator)
      let parent = Int.random(in: 1...55, using: &generator)
      let amount = isRare() ? "12345" : "12.34"
      let note = isRare() ? "'bad'" : "'new'"
      let created = isRare() ? "NULL" : "2"
      let version = Int.random(in: 1...10, using: &generator)
      sql += """
        INSERT INTO staging.children VALUES (\(id), \(parent), \(amount), \(note), \(created), \(version));

        """
    }
    return sql
  }

  @Test func `a row that is refused anyway takes no unique value from another`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, n int NOT NULL, u int UNIQUE, updated_at int);
        CREATE TABLE staging.t (id int, n int, u int, updated_at int);
        INSERT INTO production.t VALUES (2, 1, 3, 1), (5, 1, 5, 1);
        INSERT INTO staging.t VALUES (5, 1, 4, 2), (1, 1, 2, 2), (7, NULL, 4, 2);
        """
      )
      let (plan, _) = try await database.planAndMerge()
      #expect(plan.totals.errors == 1 && plan.totals.updated == 1)
    }
  }

  @Test func `of rows in several batches that want the same value plan says so`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, u int UNIQUE, updated_at int);
        CREATE TABLE staging.t (id int, u int, updated_at int);
        INSERT INTO staging.t SELECT n, n % 9, 1 FROM generate_series(1, 10) AS n;
        INSERT INTO staging.t VALUES (1, 1, 2), (11, NULL, 1), (12, NULL, 1);
        """
      )
      let said = try await database.plan { $0.batchRows = 2 }.findings.map(\.message)
      #expect(
        said.contains { $0.contains("3 rows of staging.t want a value of u (t_u_key) that rows of other keys want") },
        "\(said)"
      )
      let alone = try await database.plan().findings.map(\.message)
      #expect(!alone.contains { $0.contains("that rows of other keys want") }, "\(alone)")
    }
  }

  @Test func `rows that refer to rows of their own table are counted by what becomes of those`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (
          id int PRIMARY KEY, elder int REFERENCES production.t, v int CHECK (v > 0), updated_at int);
        CREATE TABLE staging.t (id int, elder int, v int, updated_at int);
        INSERT INTO production.t VALUES (1, NULL, 1, 1);
        -- Two chains, of which the second one hangs on a row that is refused, and a row without any elder.
        INSERT INTO staging.t VALUES
          (10, 1, 1, 2), (12, 11, 1, 2), (11, 10, 1, 2),
          (22, 21, 1, 2), (21, 20, 1, 2), (20, 1, 0, 2),
          (30, 99, 1, 2);
        """
      )
      let (plan, merge) = try await database.planAndMerge { $0.batchRows = 2 }
      #expect(plan.totals.errors == 4)
      #expect(merge.totals.inserted == 3)
    }
  }
}
