import MergeEngine
import TestSupport
import Testing

/// Where few rows are to be written, staging is read by key and version alone, and the server copies what is to be written.
@Suite struct RowRouteTests {
  private static let columns = (1...12).map { "c\($0) text" }.joined(separator: ", ")
  private static let values = (1...12).map { "'\($0) of ' || n" }.joined(separator: ", ")

  /// 5,000 rows, of which every fiftieth is newer and every hundredth new; staging's pages hold about ten rows.
  private static func fill(_ database: TestDatabase) throws {
    try database.makePair(
      production: "id int PRIMARY KEY, \(columns), updated_at int",
      staging: "id int, \(columns), updated_at int"
    )
    try database.run(
      """
      INSERT INTO production.t SELECT n, \(values), 1 FROM generate_series(1, 5000) n WHERE n % 100 <> 99;
      INSERT INTO staging.t SELECT n, \(values), 1 FROM generate_series(1, 5000) n;
      UPDATE staging.t SET c1 = 'changed', c2 = NULL, c12 = repeat('long', 1000), updated_at = 2 WHERE id % 50 = 0;
      CREATE TABLE expected AS
      SELECT p.* FROM production.t p JOIN staging.t s USING (id) WHERE s.updated_at = p.updated_at
      UNION ALL SELECT id, \((1...12).map { "c\($0)" }.joined(separator: ", ")), updated_at
      FROM staging.t WHERE id % 50 = 0 OR id % 100 = 99;
      """
    )
  }

  @Test(arguments: [1, 3]) func `the rows that are written are whole`(_ workers: Int) async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      let report = try await database.merge {
        $0.batchRows = 300
        $0.workers = workers
      }
      #expect(report.totals.inserted == 50)
      #expect(report.totals.updated == 100)
      #expect(report.totals.unchanged == 4850)
      #expect(try database.difference("TABLE production.t", "TABLE expected") == [])
    }
  }

  /// Keeps every statement that writes to production.
  private static func logStatements(_ database: TestDatabase) throws {
    try database.run(
      """
      CREATE TABLE statements (event text, statement text);
      CREATE FUNCTION log_statement() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO public.statements VALUES (tg_op, current_query());
        RETURN NULL;
      END $$;
      CREATE TRIGGER log_statement BEFORE INSERT OR UPDATE ON production.t
      FOR EACH STATEMENT EXECUTE FUNCTION log_statement();
      """
    )
  }

  @Test(arguments: [false, true]) func `after the first batch rows do not come to the client`(
    keepsImages: Bool
  ) async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try Self.logStatements(database)
      _ = try await database.merge {
        $0.batchRows = 300
        $0.workers = 1
        $0.beforeImages = keepsImages
      }
      let byAddress = try database.count(
        "SELECT count(DISTINCT event) FROM statements WHERE statement LIKE '%JOIN \"staging\".\"t\" AS t ON t.ctid%'"
      )
      // What an update overwrites must be kept in the same statement.
      #expect(byAddress == (keepsImages ? 0 : 2))
      // One by one, not by reading all of staging for each address, or for each of 17 batches; a dozen times it is gone
      // through: filled, looked at before and after the merge, read and marked.
      let read = try database.count(
        "SELECT coalesce(seq_tup_read, 0) FROM pg_stat_user_tables WHERE relid = 'staging.t'::regclass"
      )
      #expect(read < 17 * 5000)
      #expect(try database.difference("TABLE production.t", "TABLE expected") == [])
    }
  }

  @Test func `where the server can't copy such rows itself they are read after all`() async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try database.run(
        """
        CREATE SEQUENCE refused;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF current_query() LIKE '%t.ctid%' THEN
            PERFORM nextval('public.refused');
            RAISE 'not with distributed tables' USING ERRCODE = 'feature_not_supported';
          END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION refuse();
        """
      )
      let report = try await database.merge {
        $0.batchRows = 300
        $0.workers = 1
      }
      #expect(report.status == .success)
      #expect(report.totals.read == 5000)
      #expect(try database.difference("TABLE production.t", "TABLE expected") == [])
      #expect(try database.count("SELECT last_value FROM refused WHERE is_called") == 1, "it is tried once")
    }
  }

  @Test func `what a trigger of production leaves out is counted as stale, and its batch is not read again`()
    async throws
  {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try database.run(
        """
        CREATE SEQUENCE marked;
        CREATE FUNCTION count_mark() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM nextval('public.marked');
          RETURN NULL;
        END $$;
        CREATE TRIGGER count_mark AFTER UPDATE ON staging.t FOR EACH ROW EXECUTE FUNCTION count_mark();
        CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER leave_out BEFORE INSERT OR UPDATE ON production.t
        FOR EACH ROW WHEN (new.id IN (4000, 4099)) EXECUTE FUNCTION leave_out();
        """
      )
      let report = try await database.merge {
        $0.batchRows = 300
        $0.workers = 1
      }
      #expect(report.totals.inserted == 49)
      #expect(report.totals.updated == 99)
      #expect(report.totals.lostRaces == 2)
      // Sequences know nothing of a rollback.
      #expect(try database.count("SELECT last_value FROM marked") == 5000)
    }
  }

  /// Lengths are left to the write (a cast would cut): the two ways of writing must judge them alike.
  @Test(arguments: [false, true])
  func `what is too long for production is cut or refused within the server as by way of the client`(
    someAreRefused: Bool
  ) async throws {
    let longest = someAreRefused ? 7 : 5
    func merged(equalCount: Int) async throws -> [String] {
      var outcome: [String] = []
      try await TestDatabase.with { database in
        try database.makePair(
          production: "id int PRIMARY KEY, updated_at int, a varchar(5), b char(5), c varchar(5)[], d bit varying(5)",
          staging: "id int, updated_at int, a varchar(20), b char(20), c varchar(20)[], d bit varying(20)"
        )
        try Self.logStatements(database)
        // Spaces behind a text may be cut, nothing else. Every other row is in production already.
        try database.run(
          """
          INSERT INTO production.t (id, updated_at) SELECT n, 1 FROM generate_series(1, 28) n WHERE n % 2 = 0;
          INSERT INTO production.t (id, updated_at) SELECT 1000 + n, 1 FROM generate_series(1, \(equalCount)) n;
          INSERT INTO staging.t (id, updated_at) SELECT id, updated_at FROM production.t WHERE id > 1000;
          INSERT INTO staging.t
          SELECT n, 2, repeat('a', 1 + n % 5) || '     ', repeat('b', 1 + n % 5), ARRAY[repeat('c', 1 + n % 5), NULL], B'10'
          FROM generate_series(1, 28) n;
          UPDATE staging.t SET a = repeat('a', \(longest)) WHERE id IN (5, 6);
          UPDATE staging.t SET b = repeat('b', \(longest)) WHERE id IN (7, 8);
          UPDATE staging.t SET c = ARRAY[repeat('c', \(longest))] WHERE id IN (9, 10);
          UPDATE staging.t SET d = repeat('1', \(longest))::bit varying(20) WHERE id IN (11, 12);
          """
        )
        let report = try await database.merge {
          $0.workers = 1
          $0.batchRows = 100
        }
        #expect(report.totals.errors == (someAreRefused ? 8 : 0))
        #expect(report.totals.inserted + report.totals.updated == (someAreRefused ? 20 : 28))
        let byAddress = try database.count(
          "SELECT count(DISTINCT event) FROM statements WHERE statement LIKE '%AS t ON t.ctid%'"
        )
        // Where rows were refused the batch was taken again, by way of the client.
        #expect(byAddress == (equalCount == 0 || someAreRefused ? 0 : 2))
        outcome = try database.rows("SELECT * FROM production.t WHERE id <= 28 ORDER BY id")
        outcome += try database.rows("SELECT row_key, sqlstate, message FROM admin.merge_errors ORDER BY row_key")
      }
      return outcome
    }
    let byWayOfTheClient = try await merged(equalCount: 0)
    #expect(try await merged(equalCount: 3000) == byWayOfTheClient)
  }

  @Test
  func `a trigger of staging that changes rows when they are marked makes new rows of them, which are merged too`()
    async throws
  {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try database.run(
        """
        CREATE SEQUENCE marked;
        CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF pg_trigger_depth() = 1 AND new._dms_processing_status = 'PROCESSED' THEN
            PERFORM nextval('marked');
            UPDATE staging.t SET c3 = c3 WHERE ctid = (SELECT ctid FROM staging.t WHERE id = new.id);
          END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER move AFTER UPDATE ON staging.t FOR EACH ROW EXECUTE FUNCTION move();
        """
      )
      let report = try await database.merge {
        $0.batchRows = 300
        $0.workers = 1
      }
      #expect(report.status == .success)
      #expect(report.totals.read == 5000)
      #expect(try database.difference("TABLE production.t", "TABLE expected") == [])
    }
  }

  /// Two of the rows that are written to production, and twenty-one of those that are marked, bring another one into staging.
  private static func makeTriggerThatBegets(_ database: TestDatabase, of schema: String) throws {
    let columns = (1...12).map { "c\($0)" }.joined(separator: ", ")
    try database.run(
      """
      CREATE FUNCTION beget() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF new.id BETWEEN 3990 AND 4010 AND (SELECT count(*) FROM staging.t WHERE id = new.id + 100000) = 0 THEN
          INSERT INTO staging.t (id, updated_at, \(columns))
          SELECT id + 100000, updated_at, \(columns) FROM staging.t WHERE id = new.id;
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER beget AFTER INSERT OR UPDATE ON \(schema).t FOR EACH ROW
        WHEN (new.id < 100000) EXECUTE FUNCTION beget();
      """
    )
  }

  @Test(arguments: ["production", "staging"], [1, 2])
  func
    `rows that a trigger writes into staging beside the marks are read, and those of the batch are marked in the end`(
      schema: String,
      workers: Int
    ) async throws
  {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try Self.makeTriggerThatBegets(database, of: schema)
      for _ in 0..<2 {
        let report = try await database.merge {
          $0.batchRows = 300
          $0.workers = workers
        }
        #expect(report.status == .success)
      }
      let begotten = "SELECT id FROM staging.t WHERE id > 100000"
      #expect(try database.difference(begotten, "\(begotten) AND id IN (SELECT id FROM production.t)") == [])
      #expect(
        try database.difference(
          "SELECT id FROM production.t WHERE id < 100000",
          "SELECT id FROM expected WHERE id < 100000"
        ) == []
      )
      guard schema == "production" else { return }
      #expect(try database.holds("(SELECT count(*) FROM staging.t WHERE id > 100000) > 0"))
      #expect(
        try database.holds(
          "NOT EXISTS (SELECT FROM staging.t WHERE _dms_processing_status IS DISTINCT FROM 'PROCESSED')"
        )
      )
    }
  }

  @Test(arguments: ["production", "staging"])
  func `a run of one transaction fails where a trigger writes into staging beside its marks, and leaves everything`(
    schema: String
  ) async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try Self.makeTriggerThatBegets(database, of: schema)
      try database.run("CREATE TABLE before AS TABLE production.t")
      let outcome = try await database.call("--atomic")
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.errors.contains("merge with --mark none"), "\(outcome.transcript)")
      #expect(try database.difference("TABLE production.t", "TABLE before") == [])
      let unmarked = try await database.call("--atomic", "--mark", "none")
      #expect(unmarked.status == 0, "\(unmarked.transcript)")
      #expect(try database.difference("SELECT * FROM production.t WHERE id < 100000", "TABLE expected") == [])
    }
  }

  @Test func `a refused row of a batch that was read by keys is put aside whole`() async throws {
    try await TestDatabase.with { database in
      try Self.fill(database)
      try database.run(
        """
        ALTER TABLE production.t ADD CHECK (c1 <> 'changed' OR id <> 4000);
        UPDATE expected SET c1 = '1 of 4000', c2 = '2 of 4000', c12 = '12 of 4000', updated_at = 1 WHERE id = 4000;
        """
      )
      let report = try await database.merge {
        $0.batchRows = 300
        $0.workers = 1
      }
      #expect(report.totals.errors == 1)
      #expect(report.totals.updated == 99)
      #expect(try database.difference("TABLE production.t", "TABLE expected") == [])
      #expect(
        try database.rows("SELECT row_key, row_data ->> 'c1', length(row_data ->> 'c12') FROM admin.merge_errors")
          == [#"("{""id"": 4000}",changed,4000)"#]
      )
    }
  }
}
