import MergeEngine
import TestSupport
import Testing

/// Plan's counts where a key has several rows, and what becomes of one depends on others: they are merge's, or plan says that it
/// can't know.
@Suite struct PlanRepeatTests {
  private static let schemas = "CREATE SCHEMA production; CREATE SCHEMA staging;"

  /// What it needs is merged only because a newer row of that key is refused, and so comes late.
  @Test func `plan says of which rows it does not know the order within a batch`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas)
        CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, s int REFERENCES production.t);
        CREATE TABLE staging.t (k int, updated_at int, s int);
        INSERT INTO staging.t VALUES (1, 5, 5), (1, 1, NULL), (5, 4, 4), (5, 3, NULL);
        """
      )
      let plan = try await database.plan()
      #expect(plan.said.contains("depends on what it writes first"), "\(plan.said)")
      let merge = try await database.merge()
      #expect(merge.totals.inserted == 2 && merge.totals.errors == plan.totals.errors)
    }
  }

  @Test(arguments: [
    // It waits for a row of its own table, and its key's newer row comes first.
    (
      "s int REFERENCES production.t", "(1, 1, NULL)", "(1, 2, 2), (1, 3, NULL), (2, 1, NULL)"
    ),
    // It waits for a unique value.
    ("s int UNIQUE", "(1, 1, NULL), (2, 1, 5)", "(1, 2, 5), (1, 3, 6), (2, 2, 7)"),
    ("s int REFERENCES production.t", "(9, 1, NULL)", "(6, 1, 7), (6, 1, 2), (6, 2, 6)"),
  ])
  func `plan says of which rows it does not know the order`(_ column: String, _ present: String, _ staged: String)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas)
        CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, \(column)); INSERT INTO production.t VALUES \(present);
        CREATE TABLE staging.t (k int, updated_at int, s int); INSERT INTO staging.t VALUES \(staged);
        """
      )
      let plan = try await database.plan { $0.batchRows = 1 }
      #expect(plan.said.contains("depends on what it writes first"), "\(plan.said)")
      let whole = try await database.plan()
      #expect(!whole.said.contains("depends on what it writes first"), "\(whole.said)")
    }
  }

  @Test(arguments: [
    ("(6, 1, 6), (7, 3, NULL), (7, 4, 6)", 3), ("(5, 3, 2), (6, 4, 2), (6, 3, 0)", 2),
    ("(6, 1, 6), (7, 3, 6), (7, 4, NULL)", 3),
  ])
  func `a value that another row of the batch gets is refused, though the key comes again`(
    _ staged: String,
    _ batchRows: Int
  ) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, u int UNIQUE);
        CREATE TABLE staging.t (k int, updated_at int, u int); INSERT INTO staging.t VALUES \(staged);
        """
      )
      _ = try await database.planAndMerge { $0.batchRows = batchRows }
    }
  }

  /// Rows 3 and 4 can only be written at once, and whatever is older of one of them waits for nothing.
  @Test(arguments: [2, 3]) func `rows that refer to each other need no room for older rows of their keys`(
    _ batchRows: Int
  )
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, s int REFERENCES production.t);
        CREATE TABLE staging.t (k int, updated_at int, s int); INSERT INTO staging.t VALUES (3, 3, 4), (3, 1, 4), (4, 3, 3);
        """
      )
      let plan = try await database.plan { $0.batchRows = batchRows }
      #expect(plan.totals.inserted == 2 && plan.totals.errors == 0, "\(plan.totals)")
      let report = try await database.merge { $0.batchRows = batchRows }
      #expect(report.totals.inserted == 2 && report.totals.errors == 0, "\(report.totals)")
      #expect(try await database.merge().standingErrors == 0)
    }
  }

  /// Row 1 is never there, and so is no row that refers to it, though both keys have an older row.
  @Test(
    arguments: [1, 3, 100],
    [
      "(2, 9, 1, 1), (2, 8, 1, -2), (1, 8, 1, -1), (1, 9, 0, -2)",
      "(2, 8, 0, 1), (2, 9, NULL, -1), (0, 8, 98, 1), (0, 9, 99, 1)",
      "(1, 8, NULL, 0), (0, 9, 0, -1), (0, 8, 2, 0), (1, 9, 0, 0)",
    ]
  )
  func `a refusal goes on to whoever refers to the row`(_ batchRows: Int, _ staged: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, r int REFERENCES production.t, x int CHECK (x >= 0));
        CREATE TABLE staging.t (k int, updated_at int, r int, x int); INSERT INTO staging.t VALUES \(staged);
        """
      )
      let plan = try await database.plan { $0.batchRows = batchRows }
      let report = try await database.merge {
        $0.batchRows = batchRows
        $0.workers = 1
      }
      #expect(plan.totals.errors == report.totals.errors, "\(plan.totals) \(report.totals)")
    }
  }

  /// Of the rows of a key in one batch the last is written, and it alone gives its value up.
  @Test(arguments: [
    ("(3, 1, 'e0')", "(3, 8, 'zz'), (3, 9, 'e0'), (0, 9, 'e0')", 1),
    ("(0, 1, 'a0'), (3, 1, 'e0')", "(3, 8, 'zz'), (3, 9, 'e0'), (0, 9, 'e0')", 1),
    ("(3, 1, 'e0')", "(3, 8, 'e0'), (3, 9, 'zz'), (0, 9, 'e0')", 0),
    ("(3, 1, 'e')", "(1, 8, 'e'), (1, 9, 'a'), (2, 9, 'e'), (2, 7, 'z'), (3, 9, 'q')", 0),
  ])
  func `a value is given up by the row that is written`(_ present: String, _ staged: String, _ errorCount: Int)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, u text UNIQUE); INSERT INTO production.t VALUES \(present);
        CREATE TABLE staging.t (k int, updated_at int, u text); INSERT INTO staging.t VALUES \(staged);
        """
      )
      let (_, report) = try await database.planAndMerge()
      #expect(report.totals.errors == errorCount, "\(report.totals)")
    }
  }

  /// Row 1 would get the value, and has no parent.
  @Test func `plan says where a value may go to the next row`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY);
        CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, u int UNIQUE, r int REFERENCES production.p);
        CREATE TABLE staging.t (LIKE production.t); INSERT INTO staging.t VALUES (1, 1, 5, 9), (2, 1, 5, NULL);
        """
      )
      let plan = try await database.plan()
      #expect(plan.said.contains("writes one after all"), "\(plan.said)")
      #expect(try await database.merge().totals.inserted == 1)
      try database.run("DELETE FROM production.t; UPDATE staging.t SET r = NULL")
      #expect(!(try await database.plan()).said.contains("writes one after all"))
    }
  }

  /// The older row of the one is written before, and is what the other refers to.
  @Test(arguments: [1, 2, 100]) func `a row that refers to an older one needs no circle`(_ batchRows: Int) async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, s int REFERENCES production.t);
        CREATE TABLE staging.t (k int, updated_at int, s int); INSERT INTO staging.t VALUES (1, 3, NULL), (1, 4, 2), (2, 3, 1);
        """
      )
      let plan = try await database.plan { $0.batchRows = batchRows }
      #expect(plan.totals.errors == 0, "\(plan.totals)")
      let report = try await database.merge {
        $0.batchRows = batchRows
        $0.workers = 1
      }
      #expect(
        report.totals.errors == 0 && report.totals.inserted == plan.totals.inserted,
        "\(plan.totals) \(report.totals)"
      )
    }
  }

  /// The row behind the refused one would give the value up, and is refused itself.
  @Test(arguments: [1, 2, 3]) func `a value that only refused rows would give up is not given up`(_ batchRows: Int)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY, updated_at int); CREATE TABLE staging.p (LIKE production.p);
        CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, u int UNIQUE, d int CHECK (d > 0), r int REFERENCES production.p);
        INSERT INTO production.t VALUES (1, 1, 4, 1);
        CREATE TABLE staging.t (LIKE production.t);
        INSERT INTO staging.t VALUES (1, 2, NULL, -1, NULL), (1, 4, 10, 1, 8), (6, 4, 4, 1, NULL);
        """
      )
      let (_, report) = try await database.planAndMerge { $0.batchRows = batchRows }
      #expect(report.totals.errors == 3, "\(report.totals)")
    }
  }

  /// A merge tries older rows of a refused row's key when it has written the others.
  @Test(arguments: [
    ("", "(1, 5, 1, 1), (2, 5, 1, 1), (2, 5, 1, 2)", 1, 0, 2),
    ("", "(1, 5, 1, 1), (2, 6, 1, 1), (2, 5, 1, 2)", 2, 0, 1),
    ("", "(1, 5, 1, 1), (2, 5, 1, 1), (2, 6, -1, 2)", 1, 0, 2),
    ("", "(1, 5, -1, 1), (2, 5, 1, 1), (2, 6, -1, 2)", 1, 0, 2),
    ("(1, 4, 1, 0), (2, 3, 1, 0)", "(1, 5, 1, 1), (2, 5, 1, 1), (2, 5, 1, 2)", 0, 1, 2),
    ("(2, 5, 1, 0)", "(1, 5, 1, 1), (2, 5, 1, 1), (2, 6, -1, 2)", 0, 1, 2),
  ])
  func `an older row of a refused row's key gets no value that another row has`(
    _ present: String,
    _ staged: String,
    _ inserted: Int,
    _ updated: Int,
    _ errors: Int
  ) async throws {
    for (key, value) in [("x", "x"), ("(x % 100)", "x"), ("x", "x::text")] {
      try await TestDatabase.with { database in
        let isText = value != "x"
        try database.run(
          """
          \(Self.schemas)
          CREATE TABLE production.t (k int PRIMARY KEY, x \(isText ? "text" : "int"), c int CHECK (c > 0), updated_at int);
          CREATE TABLE staging.t (LIKE production.t); CREATE UNIQUE INDEX one ON production.t (\(key));
          """
        )
        for (schema, rows) in [("production", present), ("staging", staged)] where !rows.isEmpty {
          try database.run(
            "INSERT INTO \(schema).t SELECT k, \(value), c, updated_at FROM (VALUES \(rows)) AS v (k, x, c, updated_at)"
          )
        }
        let (_, merge) = try await database.planAndMerge()
        let totals = merge.totals
        #expect((totals.inserted, totals.updated, totals.errors) == (inserted, updated, errors), "\(totals)")
      }
    }
  }

  @Test func `an older row of an orphan's key gets no value that another row has`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY, updated_at int); CREATE TABLE staging.p (LIKE production.p);
        CREATE TABLE production.t (k int PRIMARY KEY, x int UNIQUE, p int REFERENCES production.p, updated_at int);
        CREATE TABLE staging.t (LIKE production.t);
        INSERT INTO staging.t VALUES (1, 5, NULL, 1), (2, 5, NULL, 1), (2, 6, 9, 2);
        """
      )
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.inserted == 1 && merge.totals.errors == 2)
    }
  }

  @Test func `an older row of a refused row's key is found by the key's own equality`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE EXTENSION citext SCHEMA public;
        CREATE TABLE production.t (k public.citext PRIMARY KEY, x text, updated_at int); CREATE TABLE staging.t (LIKE production.t);
        CREATE UNIQUE INDEX one ON production.t (lower(x));
        INSERT INTO staging.t VALUES ('A', 'five', 1), ('b', 'FIVE', 1), ('B', 'Five', 2);
        """
      )
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.inserted == 1 && merge.totals.errors == 2)
    }
  }

  @Test(arguments: [
    "(1, 7, 1, 1), (1, 8, -1, 2), (2, 7, 1, 1), (2, 9, -1, 2)",
    "(1, 5, 1, 1), (2, 9, 1, 1), (2, 5, 1, 2), (2, 5, 1, 3), (3, 9, 1, 1), (3, 5, 1, 2)",
  ])
  func `of older rows of refused rows' keys one gets the value, and plan says so`(_ staged: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k int PRIMARY KEY, x int UNIQUE, c int CHECK (c > 0), updated_at int);
        CREATE TABLE staging.t (LIKE production.t); INSERT INTO staging.t VALUES \(staged);
        """
      )
      let (plan, _) = try await database.planAndMerge()
      #expect(
        plan.said.contains("unique values of 1 row of staging.t go to rows of other keys"),
        "\(plan.said)"
      )
    }
  }

  @Test func `plan says where a value may come free again`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, u int UNIQUE);
        CREATE TABLE staging.t (k int, updated_at int, u int); INSERT INTO staging.t VALUES (2, 3, 3), (4, 3, 3), (2, 4, NULL);
        """
      )
      let plan = try await database.plan { $0.batchRows = 2 }
      #expect(plan.said.contains("whose value comes free again"), "\(plan.said)")
    }
  }

  /// What waits for nothing is not tried again.
  @Test(arguments: [true, false]) func `an orphan is counted as stale where it is tried again`(_ isParent: Bool)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY, updated_at int); CREATE TABLE staging.p (LIKE production.p);
        CREATE TABLE production.t (k int PRIMARY KEY, updated_at int, s int REFERENCES production.p);
        CREATE TABLE staging.t (k int, updated_at int, s int); INSERT INTO staging.t VALUES (1, 2, 2), (1, 3, NULL), (5, 1, 2), (5, 1, NULL);
        """
      )
      if isParent {
        try database.run(
          """
          CREATE TABLE production.c (k int PRIMARY KEY, updated_at int, t int REFERENCES production.t);
          CREATE TABLE staging.c (LIKE production.c);
          """
        )
      }
      let (plan, _) = try await database.planAndMerge { $0.batchRows = 1 }
      #expect(plan.totals.errors == (isParent ? 0 : 2))
    }
  }

  @Test(arguments: ["REFERENCES production.t", "CHECK (boss > 0)"])
  func `what a table that refers to itself refuses its children lack`(_ boss: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas)
        CREATE TABLE production.t (id int PRIMARY KEY, code int UNIQUE, updated_at int, boss int \(boss));
        CREATE TABLE production.k (id int PRIMARY KEY, t_id int REFERENCES production.t, updated_at int);
        CREATE TABLE production.g (id int PRIMARY KEY, k_id int REFERENCES production.k, updated_at int);
        CREATE TABLE staging.t (LIKE production.t); CREATE TABLE staging.k (LIKE production.k); CREATE TABLE staging.g (LIKE production.g);
        INSERT INTO production.t VALUES (16, 16, 6);
        INSERT INTO staging.t VALUES (6, 16, 2), (7, 7, 2); INSERT INTO staging.k VALUES (5, 6, 2), (6, 7, 2);
        INSERT INTO staging.g VALUES (1, 5, 2), (2, 6, 2);
        """
      )
      let (plan, _) = try await database.planAndMerge()
      #expect(plan.totals.errors == 3)
    }
  }

  @Test func `where foreign keys are not checked plan counts no orphans`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY, updated_at int);
        CREATE TABLE production.t (k int PRIMARY KEY, p int REFERENCES production.p, updated_at int);
        CREATE TABLE staging.t (LIKE production.t); INSERT INTO staging.t VALUES (1, 9, 1);
        """
      )
      try database.run("ALTER DATABASE \(database.name) SET session_replication_role = replica")
      let (plan, _) = try await database.planAndMerge()
      #expect(plan.totals.errors == 0 && plan.totals.inserted == 1)
    }
  }

  @Test func `a row that is refused is shown as such alone`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        \(Self.schemas) CREATE TABLE production.p (k int PRIMARY KEY, updated_at int);
        CREATE TABLE production.t (k int PRIMARY KEY, p int REFERENCES production.p, updated_at int);
        CREATE TABLE staging.t (LIKE production.t); INSERT INTO staging.t VALUES (1, 9, 1), (2, NULL, 1);
        """
      )
      let samples = try await database.plan().tables[0].samples
      #expect(
        samples.map { "\($0.verdict.rawValue) \(($0.key["k"] ?? nil) ?? "")" }.sorted() == ["error 1", "insert 2"]
      )
    }
  }
}
