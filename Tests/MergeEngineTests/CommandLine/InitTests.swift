import TestSupport
import Testing

/// Staging made from production.
@Suite struct InitTests {
  @Test func `makes staging, admin tables and views from production alone, and merges right after`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      let outcome = try await database.call("init")
      #expect(outcome.status == 0)
      #expect(outcome.output.contains("orders") && outcome.output.contains("created"))
      #expect(
        try columns(of: "staging.orders", database) == [
          "order_id integer", "customer_id integer", "amount numeric(10,2)", "order_date timestamp without time zone",
          "updated_at timestamp without time zone",
        ]
      )
      #expect(
        try database.sortedRows(
          "SELECT c.relname FROM pg_class c WHERE relnamespace = 'admin'::regnamespace AND relkind IN ('r', 'v')"
        )
          == [
            "(before_images)", "(merge_batches)", "(merge_controls)", "(merge_errors)", "(merge_logs)",
            "(merge_progress)", "(merge_summary)", "(merge_verifications)", "(oracle_pg_migration_status)",
            "(oracle_pg_type_verification)",
          ]
      )
      try database.fillGuideTables()
      try database.expectGuideResult()
      #expect(try await database.call().status == 0)
      #expect(try database.differencesFromExpected() == 0)
      #expect(
        try database.sortedRows("TABLE admin.oracle_pg_migration_status")
          == ["(customers,500,0,500,0)", "(orders,2000,0,2000,0)"]
      )
    }
  }

  @Test func `with a status column it makes staging cheap to mark: room in every block, no index on status or version`()
    async throws
  {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      #expect(
        try database.value("SELECT reloptions FROM pg_class WHERE oid = 'staging.orders'::regclass")
          == "{fillfactor=45}"
      )
      #expect(try indexedColumns(of: "staging.orders", database) == ["(order_id)"])
      try database.fillGuideTables()
      #expect(try await database.call().status == 0)
      // Both versions of every row share a block: the marks were HOT updates.
      try await database.wait(
        for:
          "(SELECT n_tup_hot_upd = 2000 AND n_tup_upd = 2000 FROM pg_stat_user_tables WHERE relid = 'staging.orders'::regclass)"
      )
    }
  }

  @Test func `a merge waits for who is making the views, and takes theirs`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("init").status == 0)
      try database.run("DROP VIEW admin.oracle_pg_migration_status, admin.oracle_pg_type_verification")
      let other = try database.connect()
      // The lock of AdminSchema, as another init holds it.
      try other.run("BEGIN; SELECT pg_advisory_xact_lock(1296388673, 0)")
      try other.run("CREATE VIEW admin.oracle_pg_migration_status AS SELECT 1 AS theirs")
      let merge = try database.launch([])
      try await database.wait(for: "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
      try other.run("COMMIT")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try database.value("SELECT theirs FROM admin.oracle_pg_migration_status") == "1")
    }
  }

  @Test func `indexes the version column only when asked to, again without harm`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      for _ in 0..<2 {
        #expect(try await database.call("init", "--index-updated-at").status == 0)
        #expect(try indexedColumns(of: "staging.orders", database) == ["(order_id)", "(updated_at)"])
      }
    }
  }

  @Test func `unlogged staging is unlogged, production and admin tables stay logged`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      #expect(try await database.call("init", "--unlogged").status == 0)
      #expect(
        try database.sortedRows(
          "SELECT relnamespace::regnamespace, relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'"
        )
          == ["(staging,customers)", "(staging,orders)"]
      )
      let again = try await database.call("init", "--unlogged", "--json")
      #expect(try again.json()["tables"].table("orders")["note"].text == "staging.orders is complete")
      // What is there stays as it is, and that is said.
      try database.run("ALTER TABLE staging.orders SET LOGGED")
      let logged = try await database.call("init", "--unlogged", "--json")
      #expect(
        try logged.json()["tables"].table("orders")["note"].text
          == "staging.orders is complete; it is logged as before; to change that: ALTER TABLE \"staging\".\"orders\" SET UNLOGGED"
      )
      try database.fillGuideTables()
      #expect(try await database.call().status == 0)
    }
  }

  @Test func `repeated it changes nothing at all`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call().status == 0)
      let before = try database.contents()
      let again = try await database.call("init", "--json")
      #expect(again.status == 0)
      #expect(try again.json()["tables"].elements.compactMap { $0["action"].text } == ["present", "present"])
      #expect(try database.contents() == before)
    }
  }

  @Test func `extends a staging table that lacks columns, and drops or alters none`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      try database.run(
        """
        CREATE SCHEMA staging;
        CREATE TABLE staging.orders (order_id bigint, extra text, amount double precision, updated_at date);
        INSERT INTO staging.orders VALUES (1, 'kept', 1.5, '2025-01-01');
        """
      )
      // A row that was loaded without a column would be merged as NULL.
      let marking = try await database.call("init", "--status-column", "--json")
      #expect(marking.status == 0)
      let marked = try marking.json()["tables"].table("orders")
      #expect(marked["action"].text == "extended")
      #expect(marked["note"].text?.contains("staging.orders gained _dms_processing_status; ") == true)
      #expect(marked["note"].text?.contains("staging.orders lacks customer_id, order_date still") == true)
      #expect(try database.sortedRows("TABLE staging.orders") == ["(1,kept,1.5,2025-01-01,NEW)"])
      try database.run("DELETE FROM staging.orders")
      let outcome = try await database.call("init", "--json")
      #expect(outcome.status == 0)
      let report = try outcome.json()["tables"].table("orders")
      #expect(report["action"].text == "extended")
      #expect(report["note"].text == "staging.orders gained customer_id, order_date")
      #expect(
        try columns(of: "staging.orders", database) == [
          "order_id bigint", "extra text", "amount double precision", "updated_at date",
          "_dms_processing_status character varying(20)", "customer_id integer",
          "order_date timestamp without time zone",
        ]
      )
    }
  }

  @Test func `rows that are there when production has gained a column keep production's values`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, v text, updated_at int"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE TABLE production.t (\(columns)); CREATE TABLE staging.t (\(columns));
        INSERT INTO production.t VALUES (1, 'p', 1); INSERT INTO staging.t VALUES (1, 's', 2), (2, 's', 2);
        ALTER TABLE production.t ADD COLUMN note text DEFAULT 'n/a';
        """
      )
      let again = try await database.call("init", "--json")
      #expect(again.status == 0)
      #expect(try again.json()["tables"].table("t")["action"].text == "present", "\(again.transcript)")
      #expect(try await database.call("merge").status == 0)
      #expect(try database.rows("TABLE production.t ORDER BY id") == ["(1,s,2,n/a)", "(2,s,2,n/a)"])
    }
  }

  @Test func `says which tables it skips and why, and makes the others`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      try database.run(
        """
        CREATE TABLE production.keyless (id int, updated_at date);
        CREATE TABLE production.unversioned (id int PRIMARY KEY);
        CREATE TABLE production.texts (id int PRIMARY KEY, updated_at text);
        CREATE VIEW production.seen AS TABLE production.orders;
        """
      )
      let outcome = try await database.call("init", "--json")
      #expect(outcome.status == 0)
      let tables = try outcome.json()["tables"]
      for (table, reason) in [
        ("keyless", "no primary key"), ("unversioned", "no column updated_at"), ("texts", "is of type text"),
      ] {
        #expect(tables.table(table)["action"].text == "skipped")
        #expect(tables.table(table)["note"].text?.contains(reason) == true)
        let named = try await database.call("init", "--table", table)
        #expect(named.status == 73)
        #expect(named.errors.contains(reason))
      }
      #expect(
        try database.sortedRows(
          "SELECT relname FROM pg_class WHERE relnamespace = 'staging'::regnamespace AND relkind = 'r'"
        )
          == ["(customers)", "(orders)"]
      )
      #expect(try await database.call("init", "--table", "nothing").status == 73)
    }
  }

  @Test func `makes and merges tables of every kind: composite keys, domains, generated and identity columns`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE DOMAIN production.code AS varchar(5) NOT NULL CHECK (VALUE <> 'bad');
        CREATE TYPE production.mood AS ENUM ('good', 'better');
        CREATE TABLE production.composite (b text, a production.code, v int[], m production.mood DEFAULT 'good',
          j jsonb, updated_at timestamptz, PRIMARY KEY (a, b));
        CREATE TABLE production.made (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          n int GENERATED BY DEFAULT AS IDENTITY, x int, twice int GENERATED ALWAYS AS (x * 2) STORED, updated_at bigint);
        CREATE TABLE production.parts (id int, region text, updated_at date, PRIMARY KEY (id, region))
          PARTITION BY LIST (region);
        CREATE TABLE production.parts_n PARTITION OF production.parts FOR VALUES IN ('n');
        CREATE TABLE production.parts_s PARTITION OF production.parts FOR VALUES IN ('s');
        INSERT INTO production.composite VALUES ('y', 'x', '{1}', 'better', '{}', '2025-01-01 00:00+00');
        INSERT INTO production.made (x, updated_at) VALUES (1, 1);
        INSERT INTO production.parts VALUES (1, 'n', '2025-01-01');
        """
      )
      let outcome = try await database.call("init", "--json")
      #expect(outcome.status == 0)
      #expect(
        try outcome.json()["tables"].elements.compactMap { $0["table"].text } == ["composite", "made", "parts"]
      )
      try database.run(
        """
        INSERT INTO staging.composite VALUES ('y', 'x', '{2,3}', 'good', '{"k": 1}', '2025-01-02 00:00+00'),
          ('z', 'x', NULL, NULL, NULL, '2025-01-02 00:00+00'), ('z', 'bad', NULL, NULL, NULL, '2025-01-02 00:00+00');
        INSERT INTO staging.made (id, n, x, updated_at) VALUES (1, 10, 5, 2), (77, 70, 7, 2);
        INSERT INTO staging.parts VALUES (1, 'n', '2025-01-02'), (1, 's', '2025-01-02'), (1, 'w', '2025-01-02');
        """
      )
      // A value that a domain forbids and a row without a partition: each costs itself.
      #expect(try await database.call().status == 65)
      #expect(
        try database.sortedRows("SELECT b, a, v, m, j FROM production.composite")
          == ["(y,x,\"{2,3}\",good,\"{\"\"k\"\": 1}\")", "(z,x,,,)"]
      )
      #expect(try database.sortedRows("TABLE production.made") == ["(1,10,5,10,2)", "(77,70,7,14,2)"])
      #expect(try database.sortedRows("TABLE production.parts") == ["(1,n,2025-01-02)", "(1,s,2025-01-02)"])
      #expect(try database.number("SELECT count(*) FROM admin.merge_errors") == 2)
    }
  }

  private func columns(of table: String, _ database: TestDatabase) throws -> [String] {
    let list = try database.value(
      """
      SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), '|' ORDER BY attnum)
      FROM pg_attribute WHERE attrelid = '\(table)'::regclass AND attnum > 0
      """
    )
    return (list ?? "").split(separator: "|").map(String.init)
  }

  private func indexedColumns(of table: String, _ database: TestDatabase) throws -> [String] {
    try database.sortedRows(
      """
      SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
      WHERE i.indrelid = '\(table)'::regclass
      """
    )
  }

  @Test func `the views depend on no table but the admin schema's own, and answer when tables are dropped`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at timestamp);
        CREATE TABLE production.u (id int PRIMARY KEY, updated_at timestamp);
        """
      )
      #expect(try await database.call("init").status == 0)
      try database.run("INSERT INTO staging.t VALUES (1, '2025-01-01')")
      #expect(try await database.call("merge").status == 0)
      #expect(
        try database.count(
          """
          SELECT count(*) FROM pg_depend d
          JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class JOIN pg_class t ON t.oid = d.refobjid
          WHERE d.refclassid = 'pg_class'::regclass AND v.relnamespace = 'admin'::regnamespace
            AND t.relnamespace::regnamespace::text NOT IN ('admin', 'pg_catalog', 'information_schema')
          """
        ) == 0
      )
      try database.run("DROP TABLE staging.u, production.t")
      #expect(try database.rows("TABLE admin.oracle_pg_migration_status") == ["(t,1,1,0,0)"])
      #expect(try database.rows("TABLE admin.oracle_pg_type_verification") == [])
    }
  }
}
