import MergeEngine
import TestSupport
import Testing

/// Where `plan` can only say that a merge may count otherwise, it says so.
@Suite struct NotForeseenTests {
  @Test func `a key without overlaps takes one row for a time`() async throws {
    try await TestDatabase.with { database async throws in
      // Before PostgreSQL 18 there are none.
      guard try database.holds("current_setting('server_version_num')::int >= 180000") else { return }
      try database.run("CREATE EXTENSION btree_gist")
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, room int, at int4range, UNIQUE (room, at WITHOUT OVERLAPS)",
        staging: "id int, updated_at int, room int, at int4range"
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 9, 1, '[1,5)');
        INSERT INTO staging.t VALUES (2, 2, 1, '[4,6)'), (3, 2, 2, '[4,6)'), (4, 2, 1, '[5,6)'), (5, 2, 1, 'empty')
        """
      )
      let (plan, merge) = try await database.planAndMerge()
      #expect(merge.totals.errors == 2)
      #expect(plan.findings.contains { $0.kind == .notForeseen })
    }
  }

  @Test func `rows that may be too long for an index are told`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v text, w bytea",
        staging: "id int, updated_at int, v text, w bytea"
      )
      try database.run(
        """
        CREATE INDEX wide ON production.t (v, id);
        INSERT INTO staging.t VALUES (1, 1, 'short', convert_to(repeat('long', 5000), 'UTF8')), (2, 1, repeat('compressed', 1000), NULL)
        """
      )
      let (before, merge) = try await database.planAndMerge()
      #expect(!before.findings.contains { $0.kind == .notForeseen } && merge.totals.inserted == 2)
      try database.run(
        """
        INSERT INTO staging.t
        SELECT 3, 1, string_agg(encode(sha256(n::text::bytea), 'base64'), ''), NULL FROM generate_series(1, 120) AS n
        """
      )
      let plan = try await database.plan()
      let refused = try await database.merge()
      let told = "whether the index wide has room for 1 row with more than 2,650 bytes"
      #expect(plan.findings.contains { $0.kind == .notForeseen && $0.message.contains(told) }, "\(plan.findings)")
      #expect(refused.totals.errors == 1)
    }
  }

  @Test func `what can't be foreseen is said`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run("CREATE SCHEMA production; CREATE TABLE production.parents (id int PRIMARY KEY)")
      try database.makePair(
        production: """
          id int PRIMARY KEY, updated_at int, at int4range, parent int DEFAULT 7 REFERENCES production.parents,
          EXCLUDE USING gist (at WITH &&)
          """,
        staging: "id int, updated_at int, at int4range"
      )
      try database.run(
        """
        CREATE FUNCTION production.check_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
        CREATE TRIGGER checked BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.check_row();
        INSERT INTO staging.t VALUES (1, 2, '[1,5)'), (2, 2, '[4,6)')
        """
      )
      try database.run(
        """
        ALTER TABLE production.t ADD twice int GENERATED ALWAYS AS (updated_at * 2) STORED NOT NULL;
        ALTER TABLE production.parents ADD child int REFERENCES production.t;
        """
      )
      let said = try await database.plan().findings.filter { $0.kind == .notForeseen }.map(\.message)
      #expect(said.count == 1)
      for words in [
        "exclude each other (t_at_excl)", "the triggers checked", "t_parent_fkey), since staging has no parent",
        "generated columns that are NOT NULL (twice)", "refer to each other in a circle through other tables",
      ] {
        #expect(said.contains { $0.contains(words) }, "\(words): \(said)")
      }
    }
  }

  /// A plan asks such a function before anything is written, a merge while rows are.
  @Test(arguments: ["", "IMMUTABLE"])
  func `a check whose function reads a table is named`(volatility: String) async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int, v int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        CREATE FUNCTION production.is_new(n int) RETURNS boolean LANGUAGE plpgsql \(volatility)
        AS $$ BEGIN RETURN \(volatility.isEmpty ? "NOT EXISTS (SELECT FROM production.t WHERE v = n)" : "n > 0"); END $$;
        CREATE DOMAIN production.few AS int CHECK (production.is_new(VALUE));
        ALTER TABLE production.t ADD CONSTRAINT once CHECK (production.is_new(v)), ALTER v TYPE production.few;
        INSERT INTO staging.t SELECT n, 1, 7 FROM generate_series(1, 3) n;
        """
      )
      let plan = try await database.plan { $0.batchRows = 1 }
      let merge = try await database.merge {
        $0.batchRows = 1
        $0.workers = 1
      }
      let said = plan.findings.filter { $0.kind == .notForeseen }.map(\.message)
      let isNamed = said.contains { $0.contains("what functions of checks (few_check, once) find out") }
      #expect(plan.totals.errors == 0 && merge.totals.errors == (volatility.isEmpty ? 2 : 0))
      #expect(isNamed == volatility.isEmpty && said.count == (volatility.isEmpty ? 1 : 0), "\(said)")
    }
  }
}
