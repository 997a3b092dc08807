import MergeEngine
import TestSupport
import Testing

/// No row of a batch stands for another one in what is said of them.
@Suite struct BatchWitnessTests {
  /// Rows of one batch in the way of each other: what one of them is given or loses must not stand for another. All triggers hide what
  /// they do in a function `h`; `k` is a key that production has.
  static let confusions = [
    Confusion(
      "a key of a newer row of the batch",
      "RETURN (lower(r.id)::text, r.v, r.at)::production.t;",
      "('X', 'ten', 2), ('x', 'eleven', 3)",
      inserted: 1,
      errors: 1,
      left: ["(x,eleven,3)"]
    ),
    Confusion(
      "a taken key beside a version that is set back",
      "RETURN (lower(r.id)::text, r.v, CASE WHEN r.v = 'low' THEN 0 ELSE r.at END)::production.t;",
      "('K', 'ten', 2), ('b', 'low', 2)",
      inserted: 1,
      errors: 1,
      left: ["(b,low,0)"]
    ),
    Confusion(
      "a row that is swallowed beside a version that is set back",
      "IF r.v = 'skip' THEN RETURN NULL; END IF; RETURN (r.id, r.v, CASE WHEN r.v = 'low' THEN 0 ELSE r.at END)::production.t;",
      "('a', 'skip', 2), ('b', 'low', 2)",
      inserted: 1,
      stale: 1,
      left: ["(b,low,0)"]
    ),
    Confusion(
      "a swallowed row with a log of its own beside a taken key",
      "IF r.v = 'skip' THEN INSERT INTO production.log VALUES (r.id); RETURN NULL; END IF; RETURN (lower(r.id)::text, r.v, r.at)::production.t;",
      "('s', 'skip', 2), ('K', 'ten', 2)",
      stale: 1,
      errors: 1,
      left: []
    ),
    Confusion(
      "a row that is deleted late beside one that is kept as it was",
      "RETURN (r.id, r.v, r.at)::production.t;",
      "('k', 'keep', 9), ('g', 'gone', 2), ('b', 'new', 2)",
      inserted: 1,
      stale: 1,
      errors: 1,
      left: ["(b,new,2)"]
    ),
    Confusion(
      "a taken key that an older exclusion constraint answers for",
      "RETURN (lower(r.id)::text, r.v, r.at)::production.t;",
      "('K', 'ten', 2), ('c', 'new', 2)",
      excludes: true,
      inserted: 1,
      errors: 1,
      left: ["(c,new,2)"]
    ),
  ]

  struct Confusion: CustomTestStringConvertible, Sendable {
    let name: String
    let body: String
    let rows: String
    var excludes = false
    var inserted = 0
    var stale = 0
    var errors = 0
    let left: [String]

    init(
      _ name: String,
      _ body: String,
      _ rows: String,
      excludes: Bool = false,
      inserted: Int = 0,
      stale: Int = 0,
      errors: Int = 0,
      left: [String]
    ) {
      (self.name, self.body, self.rows, self.excludes) = (name, body, rows, excludes)
      (self.inserted, self.stale, self.errors, self.left) = (inserted, stale, errors, left)
    }

    var testDescription: String { name }

    var setup: String {
      """
      CREATE TABLE production.log (id text PRIMARY KEY);
      \(excludes ? "ALTER TABLE production.t DROP CONSTRAINT t_pkey, ADD EXCLUDE USING btree (id WITH =), ADD PRIMARY KEY (id);" : "")
      INSERT INTO production.t VALUES ('k', 'cdc', 5);
      CREATE FUNCTION production.h(r production.t) RETURNS production.t LANGUAGE plpgsql
        AS $$ BEGIN \(body) END $$;
      CREATE FUNCTION production.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN production.h(NEW); END $$;
      CREATE TRIGGER f BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.f();
      CREATE FUNCTION production.k() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
      CREATE TRIGGER k BEFORE UPDATE ON production.t FOR EACH ROW WHEN (NEW.v = 'keep') EXECUTE FUNCTION production.k();
      CREATE FUNCTION production.d(k text) RETURNS void LANGUAGE sql AS $$ DELETE FROM production.t WHERE id = k $$;
      CREATE FUNCTION production.g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM production.d(NEW.id); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER g AFTER INSERT OR UPDATE ON production.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (NEW.v = 'gone') EXECUTE FUNCTION production.g();
      INSERT INTO staging.t VALUES \(rows);
      """
    }
  }

  @Test(arguments: confusions, [1, 50])
  func `what becomes of each row is known of that row`(confusion: Confusion, batchRows: Int) async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(
        production: "id text PRIMARY KEY, v text, at int",
        staging: "id text, v text, at int"
      )
      try database.run(confusion.setup)
      let merge = try await database.merge {
        $0.batchRows = batchRows
        $0.columns.version = "at"
      }
      let totals = merge.totals
      #expect(totals.inserted == confusion.inserted && totals.updated == 0, "\(totals) \(merge.failures)")
      #expect(totals.stale == confusion.stale && totals.errors == confusion.errors, "\(totals)")
      #expect(
        try database.rows("SELECT * FROM production.t ORDER BY id") == (confusion.left + ["(k,cdc,5)"]).sorted()
      )
    }
  }

  /// Marks are told from other rows by what their transaction has written, to its end.
  @Test(
    arguments: [
      "CREATE TRIGGER f AFTER UPDATE ON staging.t FOR EACH ROW EXECUTE FUNCTION public.f()",
      "CREATE CONSTRAINT TRIGGER f AFTER UPDATE ON staging.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.f()",
      "CREATE TRIGGER f AFTER UPDATE ON staging.u FOR EACH ROW EXECUTE FUNCTION public.f()",
    ],
    [false, true]
  )
  func `what a trigger of staging writes beside marks is read`(trigger: String, atomic: Bool) async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int"
      for table in ["t", "u"] {
        try database.makePair(table, production: columns + ", PRIMARY KEY (id)", staging: columns)
        try database.run("INSERT INTO staging.\(table) SELECT n, 1 FROM generate_series(1, 20) AS n")
      }
      try database.run(
        """
        CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.id = 5 THEN INSERT INTO staging.t VALUES (5000, 2); END IF; RETURN NULL; END $$; \(trigger)
        """
      )
      let merge = try await database.call("merge", arguments: atomic ? ["--atomic"] : [])
      #expect(merge.status == 74 || !atomic, "\(merge.transcript)")
      if atomic { #expect(merge.errors.contains("merge with --mark none"), "\(merge.transcript)") }
      // Perhaps again, since marks may have it written again.
      let whole = try await database.call("merge", "--mark", "none")
      #expect(whole.status == 0, "\(whole.transcript)")
      #expect(
        try database.count("SELECT count(DISTINCT id) FROM staging.t")
          == database.count("SELECT count(*) FROM production.t")
      )
      #expect(try await database.plan { $0.mark = .none }.totals.read == 0)
    }
  }

  /// The run before has refused it, and this one reads its table once more for the rows that come with the marks.
  @Test(
    arguments: [
      "STATEMENT", "ROW WHEN (NEW._dms_processing_status = 'PROCESSED')",
      "ROW WHEN (NEW._dms_processing_status = 'ERROR')",
    ],
    [false, true]
  )
  func `a row without a parent counts once though marks have other rows written`(scope: String, elsewhere: Bool)
    async throws
  {
    try await TestDatabase.withPair { production, other in
      let staging = elsewhere ? other : production
      try production.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.p (id int PRIMARY KEY, updated_at int);
        CREATE TABLE production.c (id int PRIMARY KEY, par int REFERENCES production.p, updated_at int);
        """
      )
      try staging.run(
        """
        CREATE SCHEMA staging;
        CREATE TABLE staging.p (id int, updated_at int, _dms_processing_status text);
        CREATE TABLE staging.c (id int, par int, updated_at int, _dms_processing_status text);
        INSERT INTO staging.p VALUES (1, 1); INSERT INTO staging.c VALUES (1, 99, 1), (2, 1, 1);
        CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF (SELECT count(*) FROM staging.c) < 8 THEN
            INSERT INTO staging.c (id, updated_at) SELECT 1000 + count(*), 2 FROM staging.c;
          END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER f AFTER UPDATE ON staging.c FOR EACH \(scope) EXECUTE FUNCTION public.f();
        """
      )
      let source = elsewhere ? ["--staging-database", other.connectionString] : []
      for _ in 0..<4 {
        let merge = try await production.call("merge", "--json", arguments: source)
        #expect(merge.status == 65, "\(merge.transcript)")
        #expect(try merge.json()["totals"]["errors"].integer == 1, "\(merge.transcript)")
      }
      #expect(
        try production.count("SELECT count(*) FROM production.c")
          == staging.count("SELECT count(*) FROM staging.c WHERE id <> 1")
      )
      if !elsewhere {
        let status = try await production.call("status", "--json")
        #expect(try status.json()["tables"].table("c")["pending"].integer == 0, "\(status.transcript)")
      }
    }
  }

  @Test func `marks that can't be made at a run's end fail it with their reason`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, v text, updated_at int"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 's', 1 FROM generate_series(1, 40) AS n;
        CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.id = 5 THEN UPDATE staging.t SET v = 'x' WHERE id = 30 AND v = 's'; RETURN NULL; END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER f BEFORE UPDATE ON staging.t FOR EACH ROW EXECUTE FUNCTION public.f();
        """
      )
      let merge = try await database.call("merge", "--batch", "20", "--workers", "1")
      #expect(!merge.transcript.contains("25P02"), "\(merge.transcript)")
      #expect(
        try database.count("SELECT count(*) FROM admin.merge_summary WHERE status = 'RUNNING'") == 0,
        "\(merge.transcript)"
      )
      #expect(try database.count("SELECT count(*) FROM production.t") == 40)
    }
  }
}
