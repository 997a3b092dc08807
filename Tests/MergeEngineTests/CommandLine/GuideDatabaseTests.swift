import TestSupport
import Testing

/// A database that somebody has prepared by the guide's own SQL.
@Suite struct GuideDatabaseTests {
  @Test func `is merged without init, its admin tables extended, its rows and views kept`() async throws {
    try await TestDatabase.with { database async throws in
      try prepare(database)
      try database.fillGuideTables()
      try database.expectGuideResult()
      let statusView = try definition(of: "oracle_pg_migration_status", database)
      let typesView = try definition(of: "oracle_pg_type_verification", database)
      let outcome = try await database.call("--batch", "50000", "--json")
      #expect(outcome.status == 0)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.staged("PROCESSED") == 2000)
      // The guide's own rows stand beside the run's.
      #expect(
        try database.sortedRows("SELECT id, status, notes FROM admin.merge_summary")
          == ["(1,SUCCESS,\"by hand\")", "(2,SUCCESS,\"All staging rows merged.\")"]
      )
      #expect(
        try database.sortedRows(
          "SELECT id, run_id, table_name, records_updated, records_inserted FROM admin.merge_logs"
        )
          == ["(1,,orders,5,6)", "(2,2,customers,200,150)", "(3,2,orders,800,600)"]
      )
      #expect(try definition(of: "oracle_pg_migration_status", database) == statusView)
      #expect(try definition(of: "oracle_pg_type_verification", database) == typesView)
      #expect(
        try database.sortedRows("TABLE admin.oracle_pg_migration_status")
          == ["(customers,500,0,500,0)", "(orders,2000,0,2000,0)"]
      )
      #expect(try database.sortedRows("TABLE admin.oracle_pg_type_verification") == [])
    }
  }

  @Test func `status shows its rows before anything was merged, and writes nothing`() async throws {
    try await TestDatabase.with { database async throws in
      try prepare(database)
      try database.fillGuideTables()
      let before = try database.contents()
      let outcome = try await database.call("status", "--json")
      #expect(outcome.status == 0)
      #expect(try outcome.json()["tables"].table("orders")["pending"].integer == 2000)
      #expect(try database.contents() == before)
    }
  }

  @Test func `init leaves its staging tables as they are and makes its views name all tables`() async throws {
    try await TestDatabase.with { database async throws in
      try prepare(database)
      try database.run("CREATE TABLE production.items (id int PRIMARY KEY, updated_at date)")
      try database.fillGuideTables()
      let orders = try database.versions(of: "staging.orders")
      let outcome = try await database.call("init", "--json")
      #expect(outcome.status == 0)
      #expect(try outcome.json()["tables"].table("orders")["action"].text == "present")
      #expect(try outcome.json()["tables"].table("items")["action"].text == "created")
      #expect(try database.versions(of: "staging.orders") == orders)
      #expect(
        try database.sortedRows("TABLE admin.oracle_pg_migration_status")
          == ["(customers,500,500,0,0)", "(items,0,0,0,0)", "(orders,2000,2000,0,0)"]
      )
      #expect(try await database.call().status == 0)
    }
  }

  @Test func `a view that a team has changed is kept by init, with a warning`() async throws {
    try await TestDatabase.with { database async throws in
      try prepare(database)
      try database.run(
        """
        DROP VIEW admin.oracle_pg_migration_status;
        CREATE VIEW admin.oracle_pg_migration_status AS SELECT count(*) AS ours FROM staging.orders;
        """
      )
      let outcome = try await database.call("init")
      #expect(outcome.status == 0)
      #expect(outcome.errors.contains("warning"))
      #expect(outcome.errors.contains("oracle_pg_migration_status"))
      #expect(try database.sortedRows("TABLE admin.oracle_pg_migration_status") == ["(0)"])
      #expect(try await database.call().status == 0)
    }
  }

  @Test func `the type view of the guide and ours say the same`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      try database.run(GuideSQL.tables)
      try database.run(
        """
        ALTER TABLE staging.orders ALTER amount TYPE numeric(12,4), ALTER order_date TYPE date;
        ALTER TABLE staging.customers ALTER name TYPE varchar(50);
        ALTER TABLE production.customers ADD COLUMN rate numeric(8,3); ALTER TABLE staging.customers ADD COLUMN rate numeric(8,1);
        """
      )
      #expect(try await database.call("init").status == 0)
      let ours = try database.sortedRows("TABLE admin.oracle_pg_type_verification")
      try database.run(GuideSQL.typesView)
      #expect(try database.sortedRows("TABLE admin.oracle_pg_type_verification") == ours)
      #expect(ours.count == 4)
      for verdict in ["DATA TYPE", "LENGTH", "PRECISION", "SCALE"] {
        #expect(ours.contains { $0.contains("\(verdict) MISMATCH") })
      }
    }
  }

  /// Every statement of the guide but its procedure, and what a hand-made merge has logged.
  private func prepare(_ database: TestDatabase) throws {
    try database.makeGuideProduction()
    try database.run(GuideSQL.tables)
    try database.run(GuideSQL.statusView)
    try database.run(GuideSQL.typesView)
    try database.run(
      """
      INSERT INTO admin.merge_summary (merge_start, merge_end, status, notes)
      VALUES ('2024-01-01', '2024-01-01', 'SUCCESS', 'by hand');
      INSERT INTO admin.merge_logs (table_name, merge_time, records_updated, records_inserted)
      VALUES ('orders', '2024-01-01', 5, 6);
      """
    )
  }

  private func definition(of view: String, _ database: TestDatabase) throws -> String? {
    try database.value("SELECT pg_get_viewdef('admin.\(view)'::regclass)")
  }
}
