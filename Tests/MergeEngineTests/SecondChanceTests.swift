import MergeEngine
import TestSupport
import Testing

/// Rows that are refused only because of what other rows are like at that moment are merged in the end.
@Suite struct SecondChanceTests {
  private static let columns = "id int, updated_at int, email text"

  /// A row whose status is kept true lies elsewhere after each try.
  @Test(arguments: [true, false])
  func `a unique value that a row of a later batch hands on is taken over in the end`(hasStatus: Bool) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id), UNIQUE (email)", staging: Self.columns)
      if !hasStatus { try database.run("ALTER TABLE staging.t DROP COLUMN _dms_processing_status") }
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, 'a'), (2, 1, 'b');
        INSERT INTO staging.t VALUES (1, 2, 'b');
        INSERT INTO staging.t SELECT n, 1, 'x' || n FROM generate_series(100, 399) n;
        INSERT INTO staging.t VALUES (2, 2, 'c');
        """
      )
      let report = try await database.mergeInTens()
      #expect(report.status == .success, "\(report.failures) \(report.warnings)")
      #expect(report.totals.errors == 0 && report.totals.updated == 2 && report.totals.inserted == 300)
      #expect(try database.rows("SELECT id, email FROM production.t WHERE id < 3 ORDER BY id") == ["(1,b)", "(2,c)"])
    }
  }

  /// Refused by the run before, and free since: CDC has given up the value, or a staged row has.
  @Test(arguments: [false, true], ["UPDATE production.t SET email = 'c' WHERE id = 1", nil])
  func `what an earlier run refused for a value that is taken gets it when it comes free`(
    elsewhere: Bool,
    freeing: String?
  )
    async throws
  {
    try await TestDatabase.withPair { production, other in
      let staging = elsewhere ? other : production
      let source = elsewhere ? ["--staging-database", other.connectionString] : []
      try production.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at int, email text UNIQUE);
        INSERT INTO production.t VALUES (1, 1, 'a');
        """
      )
      try staging.run(
        "CREATE SCHEMA staging; CREATE TABLE staging.t (id int, updated_at int, email text); INSERT INTO staging.t VALUES (2, 1, 'a');"
      )
      #expect(try await production.call("merge", arguments: source).status == 65)
      if let freeing {
        try production.run(freeing)
      } else {
        try staging.run("INSERT INTO staging.t VALUES (1, 2, 'b')")
      }
      let plan = try await production.call("plan", "--json", arguments: source)
      let merge = try await production.call("merge", "--json", arguments: source)
      #expect(try merge.status == 0 && merge.json()["totals"]["inserted"].integer == 1, "\(merge.transcript)")
      let read = try merge.json()["totals"]["read"].integer
      let isForeseen = try plan.json()["totals"]["read"].integer == read
      #expect(isForeseen || plan.output.contains("whose value comes free by what it writes"), "\(plan.transcript)")
      // And is left alone where nobody gives it up.
      try staging.run("INSERT INTO staging.t VALUES (3, 1, 'a')")
      for _ in 0..<2 {
        let again = try await production.call("merge", "--json", arguments: source)
        #expect(again.status == 65, "\(again.transcript)")
        let totals = try again.json()["totals"]
        #expect([totals["errors"].integer, totals["standing_errors"].integer].contains(1), "\(again.transcript)")
      }
    }
  }

  /// Everybody takes over from the next one, or from the one before, over thirty batches.
  @Test(arguments: [1, -1])
  func `a chain of values that goes through all batches is merged whole`(_ step: Int) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, position int NOT NULL UNIQUE",
        staging: "id int, updated_at int, position int"
      )
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, n FROM generate_series(1, 300) n;
        INSERT INTO staging.t SELECT n, 2, n + \(step) FROM generate_series(1, 300) n;
        """
      )
      let report = try await database.mergeInTens()
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 300)
      #expect(try database.holds("NOT EXISTS (SELECT FROM production.t WHERE position <> id + \(step))"))
    }
  }

  @Test func `a range that shrinks in a later batch makes room for one of an earlier`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, during int4range"
      try database.makePair(
        production: columns + ", PRIMARY KEY (id), EXCLUDE USING gist (during WITH &&)",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, '[1,10)'), (2, 1, '[10,20)');
        INSERT INTO staging.t VALUES (1, 2, '[1,15)');
        INSERT INTO staging.t SELECT n, 1, int4range(n, n + 1) FROM generate_series(100, 199) n;
        INSERT INTO staging.t VALUES (2, 2, '[15,20)');
        """
      )
      let report = try await database.mergeInTens()
      #expect(report.status == .success, "\(report.failures)")
      #expect(
        try database.rows("SELECT lower(during), upper(during) FROM production.t WHERE id < 3 ORDER BY id")
          == ["(1,15)", "(15,20)"]
      )
    }
  }

  @Test func `a child of a row that had to wait for a value is merged, too`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id), UNIQUE (email)", staging: Self.columns)
      try database.makePair(
        "u",
        production: "id int PRIMARY KEY, updated_at int, t int REFERENCES production.t",
        staging: "id int, updated_at int, t int"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (900, 1, 'b');
        INSERT INTO staging.t VALUES (1, 2, 'b');
        INSERT INTO staging.t SELECT n, 1, 'x' || n FROM generate_series(100, 199) n;
        INSERT INTO staging.t VALUES (900, 2, 'c');
        INSERT INTO staging.u VALUES (7, 1, 1), (8, 1, 100);
        """
      )
      let report = try await database.mergeInTens()
      #expect(report.status == .success, "\(report.failures)")
      #expect(try database.rows("SELECT id, t FROM production.u ORDER BY id") == ["(7,1)", "(8,100)"])
    }
  }

  @Test func `a value that a run of before could not take is taken when it is free`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id), UNIQUE (email)", staging: Self.columns)
      try database.run("INSERT INTO production.t VALUES (2, 1, 'b'); INSERT INTO staging.t VALUES (1, 2, 'b')")
      #expect(try await database.mergeInTens().status == .partial)
      #expect(try await database.mergeInTens().status == .partial)
      try database.run("UPDATE production.t SET email = 'c', updated_at = 3")
      let report = try await database.mergeInTens()
      #expect(report.status == .success)
      #expect(report.totals.read == 1 && report.totals.inserted == 1)
    }
  }

  /// What keeps row 1 from its value, which row 2 has.
  static let rules = [
    "ALTER TABLE production.t ADD UNIQUE (email) DEFERRABLE INITIALLY DEFERRED",
    "CREATE UNIQUE INDEX one ON production.t (email) WHERE updated_at > 0",
    "CREATE UNIQUE INDEX one ON production.t (lower(email))",
    "CREATE UNIQUE INDEX one ON production.t (email COLLATE public.caseless)",
    "CREATE UNIQUE INDEX one ON production.t ((email || id / 1000)) WHERE id < 1000",
    "ALTER TABLE production.t ADD EXCLUDE USING btree (lower(email) WITH =) WHERE (updated_at > 0)",
  ]

  @Test(arguments: rules)
  func `a value that stays taken is not tried again by each later run, whatever rule says so`(_ rule: String)
    async throws
  {
    try await TestDatabase.with { database in
      guard try !rule.contains("caseless") || database.makeCaseless() else { return }
      try database.makePair(production: Self.columns + ", PRIMARY KEY (id)", staging: Self.columns)
      try database.run(
        """
        \(rule);
        INSERT INTO production.t VALUES (2, 1, 'b'), (3, 0, 'c');
        INSERT INTO staging.t VALUES (1, 2, '\(rule.contains("COLLATE") ? "B" : "b")')
        """
      )
      #expect(try await database.mergeInTens().status == .partial)
      let refusals = "SELECT id, retried_at IS NULL FROM admin.merge_errors ORDER BY id"
      let first = try database.rows(refusals)
      for _ in 0..<2 {
        let report = try await database.mergeInTens()
        #expect(report.status == .partial && report.standingErrors == 1 && report.totals.read == 0)
      }
      #expect(try database.rows(refusals) == first)
      try database.run("UPDATE production.t SET email = 'd', updated_at = 3 WHERE id = 2")
      let report = try await database.mergeInTens()
      #expect(report.status == .success)
      #expect(report.totals.read == 1 && report.totals.inserted == 1)
    }
  }

  /// Both are refused for a value that follows from a column which staging does not have: who has it nobody can compute.
  @Test(arguments: [
    ("deleted_at date", "CREATE UNIQUE INDEX one ON production.t (email) WHERE deleted_at IS NULL"),
    ("g text GENERATED ALWAYS AS (lower(email)) STORED", "CREATE UNIQUE INDEX one ON production.t (g)"),
  ])
  func `rows refused by a key over columns that staging lacks end the run as refused rows do`(
    column: String,
    index: String
  ) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, email text, \(column), updated_at int",
        staging: "id int, email text, updated_at int"
      )
      try database.run(
        """
        \(index); INSERT INTO production.t (id, email, updated_at) VALUES (1, 'a', 1), (2, 'b', 1);
        INSERT INTO staging.t VALUES (3, 'a', 2), (4, 'b', 2), (5, 'c', 2);
        """
      )
      for inserted in [1, 0] {
        let outcome = try await database.call("merge", "--json")
        #expect(outcome.status == 65, "\(outcome.transcript)")
        #expect(try outcome.json()["totals"]["inserted"].integer == inserted)
      }
      #expect(try database.rows("SELECT DISTINCT status FROM admin.merge_summary") == ["(PARTIAL)"])
    }
  }

  @Test func `a row that was still referred to is tried again when its child has moved on`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        "p",
        production: "id int PRIMARY KEY, k int NOT NULL UNIQUE, updated_at int",
        staging: "id int, k int, updated_at int"
      )
      try database.makePair(
        "c",
        production: "id int PRIMARY KEY, pk int REFERENCES production.p (k), updated_at int",
        staging: "id int, pk int, updated_at int"
      )
      try database.run(
        """
        INSERT INTO production.p VALUES (1, 10, 1), (2, 30, 1); INSERT INTO production.c VALUES (1, 10, 1);
        INSERT INTO staging.p VALUES (1, 20, 2); INSERT INTO staging.c VALUES (1, 30, 2);
        """
      )
      let plan = try await database.call("plan", "--json")
      let messages = try plan.json()["findings"].elements.compactMap { $0["message"].text }
      #expect(messages.contains { $0.contains("by columns that a merge may change (c_pk_fkey)") }, "\(messages)")
      let report = try await database.merge()
      #expect(report.totals.updated == 2 && report.totals.errors == 0)
      #expect(try plan.json()["totals"]["updated"].integer == 2)
      #expect(try database.rows("SELECT k FROM production.p ORDER BY id") == ["(20)", "(30)"])
    }
  }
}
