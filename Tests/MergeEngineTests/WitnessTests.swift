import MergeEngine
import TestSupport
import Testing

/// What became of a row is known from the key that comes back, whatever triggers do to it.
@Suite struct WitnessTests {
  private static let columns = "id int PRIMARY KEY, note text, updated_at int"

  private func make(
    _ database: TestDatabase,
    trigger event: String,
    _ body: String,
    at moment: String = "BEFORE",
    each: String = "ROW"
  ) throws {
    try database.makePair(production: Self.columns, staging: Self.columns)
    try database.run(
      """
      CREATE SEQUENCE production.ids START 1000;
      CREATE TABLE production.t_child (PRIMARY KEY (id)) INHERITS (production.t);
      INSERT INTO production.t VALUES (1, 'old', 1);
      CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
      CREATE TRIGGER actor \(moment) \(event) ON production.t FOR EACH \(each) EXECUTE FUNCTION production.act();
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
      #expect(messages(plan).contains { $0.contains("the trigger actor") && $0.contains("skip rows") })
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

  /// What an AFTER trigger does to row 7, and to none other.
  static let movers = [
    (
      "ROW",
      """
      IF NEW.id = 7 THEN UPDATE production.t SET note = 'moved', id = NEW.id + 5000 WHERE id = NEW.id; END IF;
      RETURN NULL;
      """
    ),
    ("ROW", "IF NEW.id = 7 THEN DELETE FROM production.t WHERE id = NEW.id; END IF; RETURN NULL;"),
    (
      "STATEMENT",
      """
      IF EXISTS (SELECT FROM production.t WHERE id = 7 AND note = 'new') THEN
        UPDATE production.t SET id = 5007 WHERE id = 7;
      END IF;
      RETURN NULL;
      """
    ),
  ]

  @Test(arguments: movers, ["INSERT", "UPDATE"])
  func `a row that a trigger moves on after it was written is refused, and nothing of it stays`(
    _ mover: (each: String, body: String),
    _ event: String
  ) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: event, mover.body, at: "AFTER", each: mover.each)
      try database.run("DROP TABLE production.t_child")
      if event == "UPDATE" {
        try database.run("INSERT INTO production.t SELECT n, 'old', 1 FROM generate_series(2, 40) AS n")
      }
      if mover.body.contains("SET") {
        let plan = try await database.plan()
        #expect(messages(plan).contains { $0.contains("the trigger actor") && $0.contains("seems to set id, the key") })
      }
      for run in 1...2 {
        let merge = try await database.merge { $0.batchRows = 20 }
        #expect(merge.totals.errors == (run == 1 ? 1 : 0) && merge.totals.read == (run == 1 ? 40 : 0))
        #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'new'") == 39)
        #expect(
          try database.rows("SELECT * FROM production.t WHERE id = 7 OR id > 40")
            == (event == "UPDATE" ? ["(7,old,1)"] : [])
        )
      }
      #expect(
        try database.rows("SELECT row_key ->> 'id' FROM admin.merge_errors WHERE message LIKE '%moves the row%'") == [
          "(7)"
        ]
      )
    }
  }

  @Test func `a trigger that only looks on afterwards changes nothing`() async throws {
    try await TestDatabase.with { database async throws in
      try make(
        database,
        trigger: "INSERT OR UPDATE",
        "UPDATE production.t SET note = 'seen' WHERE id = NEW.id AND note = 'new'; RETURN NULL;",
        at: "AFTER"
      )
      let merge = try await database.merge { $0.batchRows = 10 }
      #expect(merge.totals.inserted == 39 && merge.totals.updated == 1)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'seen'") == 40)
      #expect(try await database.plan().findings.allSatisfy { !$0.message.contains("seems to set") })
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

  @Test(arguments: [false, true])
  func `an update whose trigger keeps the old row counts as stale`(images: Bool) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "UPDATE", "RETURN OLD;")
      try database.run("DROP TABLE production.t_child")
      let plan = try await database.plan()
      #expect(
        messages(plan).contains { $0.contains("the trigger actor") && $0.contains("skip rows, keep the old ones") }
      )
      let merge = try await database.merge { $0.beforeImages = images }
      #expect(merge.totals.inserted == 39)
      #expect(merge.totals.updated == 0)
      #expect(merge.totals.stale == 1)
      #expect(try database.rows("SELECT * FROM production.t WHERE id = 1") == ["(1,old,1)"])
    }
  }

  @Test(arguments: [false, true])
  func `an update that its trigger stamps counts as one`(images: Bool) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "UPDATE", "NEW.updated_at := 99; RETURN NEW;")
      try database.run("DROP TABLE production.t_child")
      let merge = try await database.merge { $0.beforeImages = images }
      #expect(merge.totals.updated == 1)
      #expect(try database.rows("SELECT * FROM production.t WHERE id = 1") == ["(1,new,99)"])
    }
  }

  @Test func `a comparison with the key in a trigger is no assignment, and what swallows is told all the same`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT", "IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW;")
      let messages = messages(try await database.plan()).filter { $0.contains("the trigger actor") }
      #expect(messages.count == 1)
      #expect(messages.allSatisfy { $0.contains("skip rows") })
    }
  }

  @Test(arguments: ["DELETE FROM production.t WHERE id = NEW.id", "update t set note = 'x' where id = NEW.id"])
  func `a trigger that changes rows once they are written is told`(statement: String) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "DELETE", "RETURN OLD;")
      try database.run(
        """
        CREATE FUNCTION production.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(statement); RETURN NULL; END $$;
        CREATE TRIGGER later AFTER INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.later();
        """
      )
      let messages = messages(try await database.plan())
      #expect(messages.contains { $0.contains("the trigger later") && $0.contains("again once they are written") })
      #expect(!messages.contains { $0.contains("the trigger actor") })
    }
  }

  @Test(arguments: [
    ("ENABLE TRIGGER", "origin", true), ("ENABLE TRIGGER", "replica", false),
    ("ENABLE REPLICA TRIGGER", "origin", false),
    ("ENABLE REPLICA TRIGGER", "replica", true), ("ENABLE ALWAYS TRIGGER", "origin", true),
    ("ENABLE ALWAYS TRIGGER", "replica", true), ("DISABLE TRIGGER", "origin", false),
  ])
  func `only a trigger that fires in such a session is told`(change: String, role: String, isTold: Bool) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "UPDATE", "RETURN OLD;")
      try database.run(
        "ALTER TABLE production.t \(change) actor; ALTER DATABASE \(database.name) SET session_replication_role = \(role)"
      )
      let messages = messages(try await database.plan())
      #expect(messages.contains { $0.contains("the trigger actor") } == isTold, "\(messages)")
    }
  }
}
