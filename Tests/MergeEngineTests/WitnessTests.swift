import MergeEngine
import TestSupport
import Testing

/// What became of a row is known from the key that comes back, whatever triggers do to it.
@Suite struct WitnessTests {
  private static let columns = "id int PRIMARY KEY, note text, updated_at int"

  private func make(_ database: TestDatabase, trigger event: String, _ body: String) throws {
    try database.makePair(production: Self.columns, staging: Self.columns)
    try database.run(
      """
      CREATE SEQUENCE production.ids START 1000;
      CREATE TABLE production.t_child (PRIMARY KEY (id)) INHERITS (production.t);
      INSERT INTO production.t VALUES (1, 'old', 1);
      CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
      CREATE TRIGGER actor BEFORE \(event) ON production.t FOR EACH ROW EXECUTE FUNCTION production.act();
      INSERT INTO staging.t SELECT n, 'new', 2 FROM generate_series(1, 40) n;
      """
    )
  }

  private func messages(_ plan: PlanReport) -> [String] { plan.findings.map(\.message) }

  @Test func `a row that a trigger puts into a child counts as inserted`() async throws {
    try await TestDatabase.with { database async throws in
      try make(
        database,
        trigger: "INSERT",
        "IF NEW.id % 2 = 0 THEN INSERT INTO production.t_child VALUES (NEW.*); RETURN NULL; END IF; RETURN NEW;"
      )
      let plan = try await database.plan()
      #expect(messages(plan).contains { $0.contains("the trigger actor") && $0.contains("drop or redirect rows") })
      let merge = try await database.merge { $0.batchRows = 10 }
      #expect(merge.totals.inserted == 39)
      #expect(merge.totals.updated == 1)
      #expect(merge.totals.stale == 0)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'new'") == 40)
    }
  }

  @Test func `before-images of rows that may go into a child are refused`() async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT", "RETURN NEW;")
      let outcome = try await database.call("--before-images")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("may put new rows into a table that inherits from it"))
      #expect(try await database.call().status == 0)
    }
  }

  @Test(arguments: [false, true])
  func `a row that a trigger gives another key is refused, and nothing of it stays`(images: Bool) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT", "NEW.id := nextval('production.ids'); RETURN NEW;")
      try database.run("DROP TABLE production.t_child")
      let plan = try await database.plan()
      #expect(messages(plan).contains { $0.contains("the trigger actor") && $0.contains("seems to set id, the key") })
      let merge = try await database.merge { $0.beforeImages = images }
      #expect(merge.totals.errors == 39)
      #expect(merge.totals.updated == 1)
      #expect(merge.totals.inserted == 0)
      #expect(try database.rows("TABLE production.t") == ["(1,new,2)"])
      #expect(
        try database.count("SELECT count(*) FROM admin.merge_errors WHERE message LIKE '%gives the row another key%'")
          == 39
      )
    }
  }

  @Test func `a trigger that sets the key only where there is none changes nothing`() async throws {
    try await TestDatabase.with { database async throws in
      try make(
        database,
        trigger: "INSERT",
        "IF NEW.id IS NULL THEN NEW.id := nextval('production.ids'); END IF; RETURN NEW;"
      )
      try database.run("DROP TABLE production.t_child")
      let merge = try await database.merge { $0.beforeImages = true }
      #expect(merge.totals.inserted == 39)
      #expect(merge.totals.errors == 0)
    }
  }

  @Test(arguments: [false, true])
  func `an update that a trigger moves to another key is refused`(images: Bool) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "UPDATE", "NEW.id := OLD.id + 5000; RETURN NEW;")
      try database.run("DROP TABLE production.t_child")
      let merge = try await database.merge { $0.beforeImages = images }
      #expect(merge.totals.inserted == 39)
      #expect(merge.totals.errors == 1)
      #expect(try database.rows("SELECT * FROM production.t WHERE id = 1 OR id > 40") == ["(1,old,1)"])
    }
  }

  @Test func `rows that a trigger swallows count as stale`() async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT OR UPDATE", "IF NEW.id <= 10 THEN RETURN NULL; END IF; RETURN NEW;")
      let merge = try await database.merge()
      #expect(merge.totals.inserted == 30)
      #expect(merge.totals.stale == 10)
      #expect(try database.rows("SELECT * FROM production.t WHERE id <= 10") == ["(1,old,1)"])
    }
  }
}
