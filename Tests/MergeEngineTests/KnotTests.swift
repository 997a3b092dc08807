import MergeEngine
import TestSupport
import Testing

/// Rows that can only be written at once, since each waits for another one: they are merged together, or told why not.
@Suite struct KnotTests {
  private static let columns = "id int, updated_at int, email text"

  @Test func `rows that exchange values of an index over an expression are told what helps, and it helps`() async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
      try database.run(
        """
        CREATE UNIQUE INDEX one ON production.t (lower(email)) WHERE updated_at > 0;
        INSERT INTO production.t VALUES (1, 1, 'a'), (2, 1, 'b');
        INSERT INTO staging.t VALUES (1, 2, 'B'), (2, 2, 'A');
        """
      )
      let report = try await database.mergeInTens()
      #expect(report.totals.errors == 2)
      let told = try #require(report.warnings.first { $0.contains("exchange values") })
      let advice = try #require(told.firstMatch(of: #/DROP INDEX .*? DEFERRABLE/#)?.output)
      try database.run(String(advice))
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.mergeInTens().status == .success)
    }
  }

  @Test(arguments: [false, true])
  func `two rows that exchange a value pass where the constraint lets them, and are told where not`(
    isDeferrable: Bool
  ) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: Self.columns
          + ", PRIMARY KEY (id), CONSTRAINT one UNIQUE (email)\(isDeferrable ? " DEFERRABLE" : "")",
        staging: Self.columns
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, 'a'), (2, 1, 'b');
        INSERT INTO staging.t VALUES (1, 2, 'b');
        INSERT INTO staging.t SELECT n, 1, 'x' || n FROM generate_series(100, 399) n;
        INSERT INTO staging.t VALUES (2, 2, 'a');
        """
      )
      let report = try await database.mergeInTens()
      #expect(report.totals.inserted == 300)
      #expect(report.totals.updated == (isDeferrable ? 2 : 0))
      #expect(report.totals.errors == (isDeferrable ? 0 : 2))
      #expect(
        try database.rows("SELECT id, email FROM production.t WHERE id < 3 ORDER BY id")
          == (isDeferrable ? ["(1,b)", "(2,a)"] : ["(1,a)", "(2,b)"])
      )
      let told = report.warnings.filter { $0.contains("exchange values") }
      #expect(told.count == (isDeferrable ? 0 : 1))
      #expect(
        told.allSatisfy { $0.contains(#"DROP CONSTRAINT "one", ADD CONSTRAINT "one" UNIQUE (email) DEFERRABLE"#) }
      )
      guard !isDeferrable else { return }
      // What is advised helps.
      try database.run("ALTER TABLE production.t DROP CONSTRAINT one, ADD CONSTRAINT one UNIQUE (email) DEFERRABLE")
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.mergeInTens().status == .success)
    }
  }

  @Test func `rows that exchange values are merged together, however far apart they lie`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int, updated_at int"
      try database.makePair(production: columns + ", UNIQUE (u) DEFERRABLE INITIALLY DEFERRED", staging: columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, n, 1 FROM generate_series(1, 100) AS n;
        INSERT INTO staging.t SELECT n, 101 - n, 2 FROM generate_series(1, 100) AS n;
        """
      )
      let report = try await database.merge { ($0.batchRows, $0.workers) = (7, 1) }
      #expect(report.status == .success && report.totals.updated == 100, "\(report.totals)")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE u = 101 - id") == 100)
    }
  }

  @Test func `rows that exchange values are told of a batch that is too small for them`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int, updated_at int"
      try database.makePair(production: columns + ", UNIQUE (u) DEFERRABLE", staging: columns)
      try database.run(
        "INSERT INTO production.t VALUES (1, 1, 1), (2, 2, 1); INSERT INTO staging.t VALUES (1, 2, 2), (2, 1, 2)"
      )
      let report = try await database.merge { $0.batchRows = 1 }
      #expect(report.totals.errors == 2)
      #expect(report.warnings.contains { $0.contains("with --batch 2 or more") }, "\(report.warnings)")
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.merge().totals.updated == 2)
    }
  }

  @Test func `rows that refer to each other are told of a batch that is too small for them`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, other int NOT NULL REFERENCES production.t, updated_at int",
        staging: "id int, other int, updated_at int"
      )
      try database.run("INSERT INTO staging.t SELECT n, n % 30 + 1, 2 FROM generate_series(1, 30) AS n")
      let report = try await database.merge { $0.batchRows = 10 }
      #expect(report.totals.errors == 30)
      #expect(
        report.warnings.contains { $0.contains("30 rows of staging.t refer to each other") },
        "\(report.warnings)"
      )
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.merge { $0.batchRows = 30 }.totals.inserted == 30)
    }
  }

  @Test func `of rows that exchange values one that is bad for itself costs its partner alone`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int, updated_at int"
      try database.makePair(
        production: columns + ", UNIQUE (u) DEFERRABLE INITIALLY DEFERRED, CHECK (u <> 77 OR id = 77)",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, n, 1 FROM generate_series(1, 100) AS n;
        INSERT INTO staging.t SELECT n, 101 - n, 2 FROM generate_series(1, 100) AS n;
        """
      )
      let report = try await database.merge { ($0.batchRows, $0.workers) = (30, 1) }
      #expect(report.totals.updated == 98 && report.totals.errors == 2, "\(report.totals)")
    }
  }

  @Test(arguments: ["", "DEFERRABLE INITIALLY DEFERRED"])
  func `new rows that refer to each other are merged together, however far apart they lie`(deferrable: String)
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, other int NOT NULL REFERENCES production.t \(deferrable), updated_at int",
        staging: "id int, other int, updated_at int"
      )
      try database.run("INSERT INTO staging.t SELECT n, 201 - n, 2 FROM generate_series(1, 200) AS n")
      let report = try await database.merge { ($0.batchRows, $0.workers) = (20, 1) }
      #expect(report.status == .success && report.totals.inserted == 200, "\(report.totals)")
    }
  }

  /// New rows take over unique values of old ones, which in turn refer to the new rows: neither can be written before the other.
  @Test(arguments: [(rowCount: 2, batch: 50), (rowCount: 20, batch: 7), (rowCount: 200, batch: 150)])
  func `rows that take over values of rows that refer to them are merged together`(rowCount: Int, batch: Int)
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int, other int, updated_at int"
      try database.makePair(
        production: columns + ", UNIQUE (u) DEFERRABLE, FOREIGN KEY (other) REFERENCES production.t",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, n, NULL, 1 FROM generate_series(1, \(rowCount)) AS n;
        INSERT INTO staging.t SELECT 1000 + n, n, NULL, 2 FROM generate_series(1, \(rowCount)) AS n;
        INSERT INTO staging.t SELECT n, 1000 + n, 1000 + n, 2 FROM generate_series(1, \(rowCount)) AS n;
        """
      )
      let foreseen = try await database.plan().totals
      let report = try await database.merge { ($0.batchRows, $0.workers, $0.beforeImages) = (batch, 1, true) }
      #expect(report.status == .success, "\(report.totals)")
      #expect(report.totals.inserted == rowCount && report.totals.updated == rowCount, "\(report.totals)")
      #expect(foreseen.inserted == rowCount && foreseen.updated == rowCount && foreseen.errors == 0)
    }
  }

  @Test(arguments: [3, 50])
  func `where the constraint does not let them, such rows are foreseen and told what helps, and it helps`(batch: Int)
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int, other int, updated_at int"
      try database.makePair(
        production: columns + ", CONSTRAINT one UNIQUE (u), FOREIGN KEY (other) REFERENCES production.t",
        staging: columns
      )
      // 31 to 35 wait for such rows; 50 waits for nobody.
      try database.run(
        """
        INSERT INTO production.t SELECT n, n, NULL, 1 FROM generate_series(1, 5) AS n;
        INSERT INTO staging.t SELECT 1000 + n, n, NULL, 2 FROM generate_series(1, 5) AS n;
        INSERT INTO staging.t SELECT n, 1000 + n, 1000 + n, 2 FROM generate_series(1, 5) AS n;
        INSERT INTO staging.t SELECT 30 + n, NULL, 1000 + n, 2 FROM generate_series(1, 5) AS n;
        INSERT INTO staging.t VALUES (50, 50, NULL, 2);
        """
      )
      let foreseen = try await database.plan { $0.batchRows = batch }.totals
      let report = try await database.merge { ($0.batchRows, $0.workers) = (batch, 1) }
      #expect(report.totals.errors == 15 && report.totals.inserted == 1, "\(report.totals)")
      #expect(foreseen.errors == 15 && foreseen.inserted == 1, "\(foreseen)")
      let told = try #require(report.warnings.first { $0.contains("10 rows of staging.t need each other") })
      let advice = try #require(told.firstMatch(of: #/ALTER TABLE .*? DEFERRABLE/#)?.output)
      try database.run(String(advice))
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.merge().status == .success)
    }
  }

  /// Each of two rows wants a value of the other one, by another constraint.
  @Test(arguments: ["", " DEFERRABLE"]) func `rows that exchange values of two constraints`(deferrable: String)
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int, v int, updated_at int"
      try database.makePair(
        production: columns + ", UNIQUE (u)\(deferrable), UNIQUE (v)\(deferrable)",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, 1, 1), (2, 2, 2, 1);
        INSERT INTO staging.t VALUES (1, 2, 9, 2), (2, 8, 1, 2);
        """
      )
      let foreseen = try await database.plan().totals
      let report = try await database.merge { $0.batchRows = 1 }
      let refusedCount = report.totals.errors
      #expect(
        refusedCount == 2 && report.warnings.contains { $0.contains("2 rows of staging.t") },
        "\(report.warnings)"
      )
      #expect(try await database.call("errors", "retry").status == 0)
      let again = try await database.merge().totals
      #expect(again.updated == (deferrable.isEmpty ? 0 : 2) && foreseen.errors == again.errors, "\(again) \(foreseen)")
    }
  }

  /// One knot that is larger than what is tried row by row.
  @Test func `a large circle over values and references is merged in one batch`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, u int, other int, updated_at int"
      try database.makePair(
        production: columns + ", UNIQUE (u) DEFERRABLE, FOREIGN KEY (other) REFERENCES production.t",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, n, NULL, 1 FROM generate_series(1, 100) AS n;
        INSERT INTO staging.t SELECT 1000 + n, n, 1001 + n % 100, 2 FROM generate_series(1, 100) AS n;
        INSERT INTO staging.t SELECT n, 1000 + n, 1000 + n, 2 FROM generate_series(1, 100) AS n;
        """
      )
      let report = try await database.merge { ($0.batchRows, $0.workers) = (200, 1) }
      #expect(report.status == .success, "\(report.totals)")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE u = 1000 + id OR u = id - 1000") == 200)
    }
  }
}
