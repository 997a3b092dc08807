import MergeEngine
import TestSupport
import Testing

/// Parents come before children, and bad parents take their children along.
@Suite struct ForeignKeyTests {
  @Test(arguments: [(1, 1), (10, 3), (1000, 2)])
  func `parents are merged before their children, whatever their names`(_ batch: Int, _ workers: Int) async throws {
    try await TestDatabase.with { database in
      // Alphabetical order would begin with the grandchild.
      try database.makePair("z", production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.makePair(
        "m",
        production: "id int PRIMARY KEY, updated_at int, z int REFERENCES production.z",
        staging: "id int, updated_at int, z int"
      )
      try database.makePair(
        "a",
        production: "id int PRIMARY KEY, updated_at int, m int REFERENCES production.m, z int REFERENCES production.z",
        staging: "id int, updated_at int, m int, z int"
      )
      try database.run(
        """
        INSERT INTO staging.z SELECT n, 1 FROM generate_series(1, 300) n;
        INSERT INTO staging.m SELECT n, 1, 301 - n FROM generate_series(1, 300) n;
        INSERT INTO staging.a SELECT n, 1, 301 - n, n FROM generate_series(1, 300) n;
        """
      )
      let report = try await database.merge {
        $0.batchRows = batch
        $0.workers = workers
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.tables.map(\.table) == ["z", "m", "a"])
      #expect(report.totals.inserted == 900)
      #expect(report.totals.errors == 0)
    }
  }

  @Test func `a child of a refused parent is refused for that reason`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        "parent",
        production: "id int PRIMARY KEY, updated_at int CHECK (updated_at < 9)",
        staging: "id int, updated_at int"
      )
      try database.makePair(
        "child",
        production: "id int PRIMARY KEY, updated_at int, parent int REFERENCES production.parent",
        staging: "id int, updated_at int, parent int"
      )
      try database.run(
        """
        INSERT INTO staging.parent VALUES (1, 1), (2, 9), (3, 1);
        INSERT INTO staging.child VALUES (10, 1, 1), (20, 1, 2), (21, 1, 2), (30, 1, 3);
        """
      )
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(
        try database.rows("SELECT table_name, row_key->>'id', sqlstate FROM admin.merge_errors ORDER BY 1, 2")
          == ["(child,20,23503)", "(child,21,23503)", "(parent,2,23514)"]
      )
      #expect(try database.rows("SELECT id FROM production.child ORDER BY id") == ["(10)", "(30)"])
      #expect(
        try database.rows(
          """
          SELECT message LIKE '%violates foreign key constraint%', detail LIKE '%(2) is not present in table%parent%'
          FROM admin.merge_errors WHERE table_name = 'child'
          """
        ) == ["(t,t)", "(t,t)"]
      )
    }
  }

  @Test func `a failed parent table keeps its children from being begun, and others go on`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        "parent",
        production: "id int PRIMARY KEY, updated_at int",
        staging: "id int, updated_at int"
      )
      try database.makePair(
        "child",
        production: "id int PRIMARY KEY, updated_at int, parent int REFERENCES production.parent",
        staging: "id int, updated_at int, parent int"
      )
      try database.makePair(
        "other",
        production: "id int PRIMARY KEY, updated_at int",
        staging: "id int, updated_at int"
      )
      try database.run(
        """
        CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nothing(); RETURN new; END $$;
        CREATE TRIGGER broken BEFORE INSERT ON production.parent FOR EACH ROW EXECUTE FUNCTION broken();
        INSERT INTO staging.parent VALUES (1, 1);
        INSERT INTO staging.child VALUES (10, 1, 1);
        INSERT INTO staging.other VALUES (1, 1);
        """
      )
      let report = try await database.merge()
      #expect(report.status == .failed)
      #expect(report.failures.count == 2)
      #expect(report.totals.inserted == 1)
      #expect(try database.count("SELECT count(*) FROM staging.child WHERE _dms_processing_status = 'NEW'") == 1)
      #expect(try database.count("SELECT count(*) FROM production.other") == 1)
    }
  }

  @Test(arguments: [false, true])
  func `rows of one batch may refer to each other, also beside a bad row`(hasBadRow: Bool) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int CHECK (updated_at < 9), boss int REFERENCES production.t",
        staging: "id int, updated_at int, boss int"
      )
      // Everyone's boss has a higher key, and so is written after.
      try database.run("INSERT INTO staging.t SELECT n, 1, nullif(n + 1, 101) FROM generate_series(1, 100) n")
      if hasBadRow { try database.run("INSERT INTO staging.t VALUES (50000, 9, 1)") }
      let report = try await database.merge()
      #expect(report.totals.inserted == 100)
      #expect(report.totals.errors == (hasBadRow ? 1 : 0))
    }
  }

  /// Bosses lie in later batches, and two tables refer to each other: no order of batches is right for all rows.
  @Test(arguments: [false, true])
  func `rows of many batches and of tables in a circle may refer to each other, also beside bad rows`(hasBadRow: Bool)
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int CHECK (updated_at < 9), boss int REFERENCES production.t",
        staging: "id int, updated_at int, boss int"
      )
      for (table, other) in [("a", "b"), ("b", "a")] {
        try database.makePair(
          table,
          production: "id int PRIMARY KEY, updated_at int, \(other)_id int",
          staging: "id int, updated_at int, \(other)_id int"
        )
      }
      // a 1 refers to b 1, b 1 to a 2 and so on; b 5 ends the chain, a 6 begins the next.
      try database.run(
        """
        ALTER TABLE production.a ADD FOREIGN KEY (b_id) REFERENCES production.b;
        ALTER TABLE production.b ADD FOREIGN KEY (a_id) REFERENCES production.a;
        INSERT INTO staging.t SELECT n, 1, nullif(n + 1, 301) FROM generate_series(1, 300) n;
        INSERT INTO staging.a SELECT n, 1, n FROM generate_series(1, 300) n;
        INSERT INTO staging.b SELECT n, 1, CASE WHEN n % 5 > 0 THEN n + 1 END FROM generate_series(1, 300) n;
        """
      )
      if hasBadRow {
        try database.run(
          "INSERT INTO staging.t VALUES (5000, 9, 1), (5001, 1, 5000); INSERT INTO staging.a VALUES (5000, 1, 6000)"
        )
      }
      let report = try await database.merge {
        $0.batchRows = 50
        $0.workers = 2
      }
      #expect(report.status == (hasBadRow ? .partial : .success), "\(report.failures)")
      #expect(report.totals.inserted == 900)
      #expect(report.totals.errors == (hasBadRow ? 3 : 0))
      for table in ["t", "a", "b"] {
        #expect(try database.count("SELECT count(*) FROM production.\(table)") == 300)
        #expect(
          try database.count("SELECT count(*) FROM staging.\(table) WHERE _dms_processing_status = 'PROCESSED'") == 300
        )
      }
    }
  }

  /// The foreign key is on partitions only, or leads to one; a name's order would begin with the child.
  @Test(arguments: [
    "ALTER TABLE production.a_1 ADD FOREIGN KEY (z) REFERENCES production.z",
    "ALTER TABLE production.a_1 ADD FOREIGN KEY (z) REFERENCES production.z_1",
    "ALTER TABLE production.a ADD FOREIGN KEY (z) REFERENCES parts.z_2",
    "ALTER TABLE production.a ADD FOREIGN KEY (z) REFERENCES production.z",
  ]) func `partitions stand for their root`(foreignKey: String) async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int"
      try database.makePair(
        "a",
        production: columns + ", z int) PARTITION BY RANGE (id",
        staging: "id int, updated_at int, z int"
      )
      try database.makePair("z", production: columns + ") PARTITION BY RANGE (id", staging: "id int, updated_at int")
      try database.run(
        """
        CREATE SCHEMA parts;
        CREATE TABLE production.a_1 PARTITION OF production.a FOR VALUES FROM (0) TO (1000);
        CREATE TABLE production.z_1 PARTITION OF production.z FOR VALUES FROM (0) TO (100);
        CREATE TABLE parts.z_2 PARTITION OF production.z FOR VALUES FROM (100) TO (1000);
        \(foreignKey);
        INSERT INTO staging.z SELECT n, 1 FROM generate_series(1, 199) n;
        INSERT INTO staging.a SELECT n, 1, n + \(foreignKey.contains("z_2") ? 100 : 0) FROM generate_series(1, 99) n;
        """
      )
      let report = try await database.merge { $0.batchRows = 50 }
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.tables.map(\.table) == ["z", "a"])
      #expect(report.totals.errors == 0)
    }
  }

  @Test func `a unique value that moves from one row to another within a batch is no error`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, email text"
      try database.makePair(production: columns + ", PRIMARY KEY (id), UNIQUE (email)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t VALUES (2, 1, 'ada@x'), (3, 1, 'bob@x'), (4, 1, 'cy@x');
        INSERT INTO staging.t VALUES (1, 2, 'ada@x'), (2, 2, 'bob@x'), (3, 2, 'cy@x'), (4, 2, 'new@x');
        """
      )
      let report = try await database.merge()
      #expect(report.status == .success, "\(report.failures)")
      #expect(
        try database.rows("TABLE production.t ORDER BY id")
          == ["(1,2,ada@x)", "(2,2,bob@x)", "(3,2,cy@x)", "(4,2,new@x)"]
      )
    }
  }

  /// They are no part of it, and come behind it.
  @Test func `tables below a circle wait for it`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (k int PRIMARY KEY, q int, updated_at int);
        CREATE TABLE production.q (k int PRIMARY KEY, t int REFERENCES production.t, updated_at int);
        ALTER TABLE production.t ADD FOREIGN KEY (q) REFERENCES production.q;
        CREATE TABLE production.p (k int PRIMARY KEY, t int REFERENCES production.t, updated_at int);
        CREATE TABLE production.a (k int PRIMARY KEY, p int REFERENCES production.p, updated_at int);
        CREATE TABLE staging.t (LIKE production.t); CREATE TABLE staging.q (LIKE production.q);
        CREATE TABLE staging.p (LIKE production.p); CREATE TABLE staging.a (LIKE production.a);
        INSERT INTO staging.t SELECT n, NULL, 1 FROM generate_series(1, 300) AS n;
        INSERT INTO staging.p SELECT n, n, 1 FROM generate_series(1, 300) AS n;
        INSERT INTO staging.a SELECT n, n, 1 FROM generate_series(1, 300) AS n;
        """
      )
      let (_, merge) = try await database.planAndMerge { $0.batchRows = 50 }
      #expect(merge.totals.inserted == 900)
    }
  }

  @Test func `rows that a foreign key takes their reference from are told of, with images and without`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.p (id int PRIMARY KEY, n int UNIQUE, updated_at int); CREATE TABLE staging.p (id int, n int, updated_at int);
        CREATE TABLE production.t (id int PRIMARY KEY, n int REFERENCES production.p (n) ON UPDATE SET NULL, updated_at int);
        INSERT INTO production.p VALUES (1, 1, 1); INSERT INTO production.t VALUES (1, 1, 9); INSERT INTO staging.p VALUES (1, 2, 5);
        """
      )
      let plan = try await database.plan { $0.tables = ["p"] }
      #expect(plan.findings.contains { $0.kind == .forgetfulReference && $0.message.contains("rows of production.t") })
      let merge = try await database.merge { $0.tables = ["p"] }
      #expect(merge.findings.contains { $0.kind == .forgetfulReference })
    }
  }

  @Test func `a foreign key whose triggers are disabled refuses nothing, as plan knows`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.p (id int PRIMARY KEY, updated_at int);
        CREATE TABLE production.c (id int PRIMARY KEY, r int REFERENCES production.p, updated_at int); CREATE TABLE staging.c (id int, r int, updated_at int);
        INSERT INTO staging.c VALUES (1, 77, 1); ALTER TABLE production.c DISABLE TRIGGER ALL;
        """
      )
      let plan = try await database.plan()
      #expect(plan.totals.errors == 0 && plan.totals.inserted == 1)
      #expect(plan.findings.contains { $0.kind == .disabledReference && $0.message.contains("c_r_fkey") })
      let merge = try await database.merge()
      #expect(merge.totals.inserted == 1 && merge.findings.contains { $0.kind == .disabledReference })
    }
  }
}
