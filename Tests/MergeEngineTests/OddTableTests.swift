import MergeEngine
import TestSupport
import Testing

/// Production tables with something special about them.
@Suite struct OddTableTests {
  /// As in a production that was made as a copy of staging.
  @Test func `a column of production that is called as staging's status is not merged, which is said`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, v text, _dms_processing_status text, updated_at int"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(columns), PRIMARY KEY (id)); CREATE TABLE staging.t (\(columns));
        INSERT INTO production.t VALUES (2, 'old', 'kept', 1); INSERT INTO staging.t VALUES (1, 'new', 'x', 2), (2, 'new', 'x', 2);
        """
      )
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command)
        #expect(outcome.status == 0, "\(outcome.transcript)")
        #expect(
          (outcome.output + outcome.errors).contains("_dms_processing_status of production.t is not merged"),
          "\(outcome.transcript)"
        )
      }
      #expect(try database.rows("TABLE production.t ORDER BY id") == ["(1,new,,2)", "(2,new,kept,2)"])
      let ignoring = try await database.plan {
        $0.columns.tables["t", default: .init()].ignore = ["_dms_processing_status"]
      }
      #expect(ignoring.findings.filter { $0.kind == .statusColumn && $0.message.contains("is not merged") }.isEmpty)
    }
  }

  @Test(arguments: ["_merge_engine_previous_xid", "_merge_engine_version", "_merge_engine_position"])
  func `a column that is called as one of the engine's own is refused beforehand`(_ name: String) async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, \(name) int, updated_at int"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(columns)); CREATE TABLE staging.t (\(columns)); INSERT INTO staging.t VALUES (1, 1, 1);
        """
      )
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command, "--before-images")
        #expect(
          outcome.status == 73 && (outcome.output + outcome.errors).contains("the column \(name) of production.t"),
          "\(outcome.transcript)"
        )
      }
    }
  }

  /// The server can't read what it writes of them in binary.
  @Test(arguments: ["oidvector", "int2vector"]) func `empty vectors are merged`(_ type: String) async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, v \(type), updated_at int"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(columns)); CREATE TABLE staging.t (\(columns));
        INSERT INTO production.t VALUES (3, '1', 1); INSERT INTO staging.t VALUES (1, '', 2), (2, '4 5', 2), (3, '', 2);
        """
      )
      let plan = try await database.plan()
      let merge = try await database.merge()
      #expect(merge.totals.inserted == 2 && merge.totals.updated == 1 && merge.totals.errors == 0)
      #expect(plan.totals.inserted == 2 && plan.totals.updated == 1)
      #expect(try await database.call("verify", "--recheck-after", "0").status == 0)
    }
  }

  @Test func `a status column of production's own keeps what it has`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: "\(columns), _dms_processing_status varchar(20)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 'old', 1, 'DONE'), (2, 'same', 1, NULL);
        INSERT INTO staging.t VALUES (1, 'new', 2), (2, 'same', 1), (3, 'new', 2);
        """
      )
      let report = try await database.merge { $0.ties = .compare }
      #expect(report.totals.updated == 1 && report.totals.unchanged == 1 && report.totals.inserted == 1)
      #expect(
        try database.rows("SELECT k, a, _dms_processing_status FROM production.t ORDER BY k") == [
          "(1,new,DONE)", "(2,same,)", "(3,new,)",
        ]
      )
      #expect(try database.staged("PROCESSED", in: "staging.t") == 3)
      #expect(try await database.call("verify").status == 0)
    }
  }

  @Test(arguments: [1, 1000])
  func `partitioned production takes rows into every partition`(batch: Int) async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE SCHEMA production; CREATE SCHEMA staging")
      for (name, strategy, partitions) in [
        ("by_range", "RANGE (region)", ["FOR VALUES FROM ('a') TO ('n')", "FOR VALUES FROM ('n') TO ('z')"]),
        ("by_list", "LIST (region)", ["FOR VALUES IN ('a', 'b', 'm')", "DEFAULT"]),
        (
          "by_hash", "HASH (region)",
          ["FOR VALUES WITH (MODULUS 2, REMAINDER 0)", "FOR VALUES WITH (MODULUS 2, REMAINDER 1)"]
        ),
      ] {
        try database.run(
          """
          CREATE TABLE production.\(name) (id int, region text, updated_at timestamp, v text, PRIMARY KEY (id, region))
          PARTITION BY \(strategy);
          CREATE TABLE staging.\(name) (v text, region text, id int, updated_at timestamp,
            _dms_processing_status varchar(20) DEFAULT 'NEW') WITH (fillfactor = 10);
          """
        )
        for (number, bounds) in partitions.enumerated() {
          try database.run("CREATE TABLE production.\(name)_\(number) PARTITION OF production.\(name) \(bounds)")
        }
        try database.run(
          """
          INSERT INTO production.\(name) SELECT n, chr(97 + n % 25), '2025-01-01', 'old' FROM generate_series(1, 50) n;
          INSERT INTO staging.\(name) SELECT 'new', chr(97 + n % 25), n, '2025-01-02' FROM generate_series(26, 100) n;
          """
        )
      }
      let report = try await database.merge { $0.batchRows = batch }
      #expect(report.status == .success)
      #expect(report.tables.map(\.table).sorted() == ["by_hash", "by_list", "by_range"])
      for table in report.tables {
        #expect(table.counts.updated == 25)
        #expect(table.counts.inserted == 50)
        #expect(
          try database.rows("SELECT count(*), count(*) FILTER (WHERE v = 'new') FROM production.\(table.table)")
            == ["(100,75)"]
        )
      }
    }
  }

  /// The server can't follow a row into another partition: it says so with 40001, and the batch is tried again.
  @Test func `a row that CDC moves to another partition while it is written there is merged as what it is then`()
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int, region text, updated_at int, v text"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(columns), PRIMARY KEY (id, region)) PARTITION BY LIST (region);
        CREATE TABLE production.t_a PARTITION OF production.t FOR VALUES IN ('a');
        CREATE TABLE production.t_b PARTITION OF production.t FOR VALUES IN ('b');
        CREATE TABLE staging.t (\(columns), _dms_processing_status varchar(20) DEFAULT 'NEW');
        INSERT INTO production.t SELECT n, 'a', 1, 'p' FROM generate_series(1, 10) n;
        INSERT INTO staging.t SELECT n, 'a', 5, 's' FROM generate_series(1, 10) n;
        """
      )
      try database.run("BEGIN; UPDATE production.t SET region = 'b', updated_at = 9, v = 'cdc' WHERE id = 5")
      let observer = try database.connect()
      let merge = observer.start()
      try await observer.waitForBlockedWorker()
      try database.run("COMMIT")
      let report = try await observer.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 9)
      // The key (5, a) is gone: to the merge, which looks again, it is a new row.
      #expect(report.totals.inserted == 1)
      #expect(
        try database.rows("SELECT * FROM production.t WHERE id = 5 ORDER BY region") == ["(5,a,5,s)", "(5,b,9,cdc)"]
      )
    }
  }

  @Test func `a version that is the partition column belongs to the key: another version is another row`() async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int, updated_at date, v text, PRIMARY KEY (id, updated_at)) PARTITION BY RANGE (updated_at);
        CREATE TABLE production.t_2024 PARTITION OF production.t FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE production.t_2025 PARTITION OF production.t FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        CREATE TABLE staging.t (id int, updated_at date, v text, _dms_processing_status varchar(20) DEFAULT 'NEW');
        INSERT INTO production.t VALUES (1, '2024-06-01', 'p'), (2, '2024-06-01', 'p');
        INSERT INTO staging.t VALUES (1, '2025-06-01', 's'), (2, '2024-06-01', 's'), (3, '2030-01-01', 's');
        """
      )
      let report = try await database.merge()
      #expect(report.totals.inserted == 1)
      #expect(report.totals.unchanged == 1)
      #expect(try database.rows("SELECT sqlstate, row_key->>'id' FROM admin.merge_errors") == ["(23514,3)"])
      #expect(
        try database.rows("SELECT tableoid::regclass, * FROM production.t ORDER BY id, updated_at")
          == [
            "(t_2024,1,2024-06-01,p)", "(t_2025,1,2025-06-01,s)", "(t_2024,2,2024-06-01,p)",
          ].map { $0.replacing("(t_", with: "(production.t_") }
      )
    }
  }

  @Test(arguments: [false, true])
  func `generated and identity columns are the server's own business`(hasBadRow: Bool) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: """
          id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, updated_at int, net int CHECK (net <> 13),
          gross int GENERATED ALWAYS AS (net * 2) STORED, serial_no int GENERATED ALWAYS AS IDENTITY,
          by_default int GENERATED BY DEFAULT AS IDENTITY, noted text DEFAULT 'default', seq serial
          """,
        staging: "id int, updated_at int, net int, gross int, serial_no int"
      )
      try database.run(
        """
        INSERT INTO production.t (id, updated_at, net, serial_no, noted) OVERRIDING SYSTEM VALUE VALUES (7, 1, 1, 500, 'kept');
        INSERT INTO staging.t VALUES (7, 2, 10, 0, 700), (8, 2, 20, 0, 800);
        """
      )
      if hasBadRow { try database.run("INSERT INTO staging.t VALUES (9, 2, 13, 0, 900)") }
      let report = try await database.merge()
      #expect(report.totals.updated == 1)
      #expect(report.totals.inserted == 1)
      // An identity that is ALWAYS generated can be given at the insert, and never be changed.
      #expect(
        try database.rows("SELECT id, updated_at, net, gross, serial_no, noted FROM production.t ORDER BY id")
          == ["(7,2,10,20,500,kept)", "(8,2,20,40,800,default)"]
      )
    }
  }

  @Test(arguments: [
    "id int GENERATED ALWAYS AS (raw) STORED PRIMARY KEY, raw int, updated_at int",
    "id int PRIMARY KEY, raw int, updated_at int GENERATED ALWAYS AS (raw) STORED",
  ])
  func `a key or a version that the server computes blocks the merge`(production: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: production, staging: "id int, raw int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1, 1)")
      await #expect(throws: MergeFailure.self) { try await database.merge() }
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
    }
  }

  @Test func `a trigger that changes rows is obeyed`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v text, log text",
        staging: "id int, updated_at int, v text"
      )
      try database.run(
        """
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN new.log = concat(old.log, ' ', tg_op, ' ', new.v); RETURN new; END $$;
        CREATE TRIGGER note BEFORE INSERT OR UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION note();
        INSERT INTO production.t VALUES (1, 1, 'p');
        INSERT INTO staging.t VALUES (1, 2, 's'), (2, 2, 's');
        """
      )
      try await database.merge()
      #expect(
        try database.rows("SELECT id, log FROM production.t ORDER BY id")
          == ["(1,\" INSERT p UPDATE s\")", "(2,\" INSERT s\")"]
      )
    }
  }

  @Test(arguments: [false, true])
  func `a row that a trigger leaves out counts as stale`(hasBadRow: Bool) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v text CHECK (v <> 'bad')",
        staging: "id int, updated_at int, v text"
      )
      try database.run(
        """
        CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF new.v = 'left out' THEN RETURN NULL; END IF; RETURN new; END $$;
        CREATE TRIGGER t BEFORE INSERT OR UPDATE ON production.t FOR EACH ROW EXECUTE FUNCTION leave_out();
        INSERT INTO production.t VALUES (1, 1, 'p'), (2, 1, 'p');
        INSERT INTO staging.t VALUES (1, 2, 's'), (2, 2, 'left out'), (3, 2, 's'), (4, 2, 'left out');
        """
      )
      if hasBadRow { try database.run("INSERT INTO staging.t VALUES (5, 2, 'bad')") }
      let report = try await database.merge()
      #expect(report.totals.inserted == 1)
      #expect(report.totals.updated == 1)
      #expect(report.totals.stale == 2)
      #expect(report.totals.lostRaces == 2)
    }
  }

  @Test func `the version may be the key, and the only column there is`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "updated_at int PRIMARY KEY", staging: "updated_at int")
      try database.run("INSERT INTO production.t VALUES (1), (2); INSERT INTO staging.t VALUES (2), (3), (3), (4)")
      let report = try await database.merge()
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.inserted == 2)
      #expect(report.totals.unchanged == 1)
      #expect(report.totals.duplicate == 1)
      #expect(try database.rows("TABLE production.t ORDER BY 1") == ["(1)", "(2)", "(3)", "(4)"])
    }
  }

  @Test func `a key that is WITHOUT OVERLAPS blocks its table before anything is written`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, period daterange, updated_at int"
      let isTemporal = database.connection.serverVersionNumber >= 180_000
      // Before 18 such a constraint can't be a key: then there is none.
      let constraint =
        isTemporal ? "PRIMARY KEY (id, period WITHOUT OVERLAPS)" : "EXCLUDE USING gist (id WITH =, period WITH &&)"
      try database.run("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public")
      try database.makePair(production: "\(columns), \(constraint)", staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, '[2025-01-01,2025-02-01)', 1)")
      let failure = await #expect(throws: MergeFailure.self) { try await database.merge() }
      guard case .blocked(let findings) = failure else {
        Issue.record("\(String(describing: failure))")
        return
      }
      let reason =
        isTemporal ? "the primary key of production.t is WITHOUT OVERLAPS" : "production.t has no primary key"
      #expect(findings.contains { $0.grade == .blocker && $0.message.contains(reason) })
      #expect(try database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'admin'") == 0)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'NEW'") == 1)
    }
  }

  @Test func `a table that is nothing but key and version gets new rows`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int, updated_at int, PRIMARY KEY (id, updated_at)",
        staging: "updated_at int, id int"
      )
      try database.run("INSERT INTO production.t VALUES (1, 1); INSERT INTO staging.t VALUES (1, 1), (2, 1), (1, 3)")
      let report = try await database.merge()
      #expect(report.totals.inserted == 2)
      #expect(report.totals.unchanged == 1)
      #expect(try database.rows("SELECT * FROM production.t ORDER BY 1, 2") == ["(1,1)", "(1,2)", "(3,1)"])
    }
  }

  @Test func `a deferrable key is no obstacle, not even with a bad row`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, updated_at int, v int CHECK (v > 0)",
        staging: "id int, updated_at int, v int"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, 1), (2, 5, 1);
        INSERT INTO staging.t VALUES (1, 2, 2), (2, 2, 2), (3, 2, 2), (4, 2, 0);
        """
      )
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(try database.rows("SELECT * FROM production.t ORDER BY id") == ["(1,2,2)", "(2,5,1)", "(3,2,2)"])
    }
  }

  @Test func `a table named twice is merged once`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1), (2, 1)")
      let report = try await database.merge {
        $0.tables = ["t", "t"]
        $0.mark = .none
      }
      #expect(report.tables.map(\.table) == ["t"])
      #expect(report.totals.read == 2)
    }
  }
}
