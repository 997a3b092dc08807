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

  /// By a function of its own, so that nobody can read in the trigger what it does.
  @Test(arguments: [1, 5], ["INSERT", "UPDATE"])
  func `a row that a deferred trigger deletes is refused`(batchRows: Int, event: String) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "DELETE", "RETURN OLD;")
      try database.run(
        """
        DROP TABLE production.t_child;
        \(event == "UPDATE" ? "INSERT INTO production.t SELECT n, 'old', 1 FROM generate_series(2, 40) AS n;" : "")
        CREATE FUNCTION production.purge(k int) RETURNS void LANGUAGE sql
          AS $$ DELETE FROM production.t WHERE id = k AND note = 'new' $$;
        CREATE FUNCTION production.late() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN IF NEW.id % 10 = 7 THEN PERFORM production.purge(NEW.id); END IF; RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON production.t DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION production.late();
        """
      )
      let merge = try await database.merge { $0.batchRows = batchRows }
      #expect(merge.totals.errors == 4 && merge.totals.inserted + merge.totals.updated == 36, "\(merge.totals)")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'new'") == 36)
      #expect(try await database.call("cleanup").status == 65)
    }
  }

  @Test func `of a run in one transaction it is said that deferred triggers run unseen`() async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "DELETE", "RETURN OLD;")
      try database.run(
        """
        CREATE FUNCTION production.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON production.t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION production.late();
        """
      )
      let words = "a deferred trigger of production.t runs at the end of --atomic's transaction"
      #expect(try await !database.call("plan").everything.contains(words))
      let merge = try await database.call("--atomic")
      #expect(merge.status == 0 && merge.everything.contains(words), "\(merge.transcript)")
    }
  }

  /// What is there already under the other key looks like the row itself to ON CONFLICT.
  @Test(arguments: [1, 50], [false, true])
  func `a row that a trigger gives a key that another row has is refused`(batchRows: Int, images: Bool) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT", "NEW := production.rounded(NEW); RETURN NEW;")
      try database.run(
        """
        DROP TABLE production.t_child;
        CREATE FUNCTION production.rounded(r production.t) RETURNS production.t LANGUAGE plpgsql
          AS 'BEGIN r.id := CASE WHEN r.id > 30 THEN 1 ELSE r.id END; RETURN r; END';
        """
      )
      let merge = try await database.merge {
        $0.batchRows = batchRows
        $0.beforeImages = images
      }
      #expect(merge.totals.errors == 10 && merge.totals.inserted == 29 && merge.totals.updated == 1, "\(merge.totals)")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'new'") == 30)
      #expect(try await database.call("cleanup").status == 65)
    }
  }

  @Test(arguments: [1, 50], [false, true])
  func `a row that a trigger gives an older version counts as what was done with it`(
    batchRows: Int,
    images: Bool
  ) async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT OR UPDATE", "NEW := production.stamped(NEW); RETURN NEW;")
      try database.run(
        """
        DROP TABLE production.t_child;
        CREATE FUNCTION production.stamped(r production.t) RETURNS production.t LANGUAGE plpgsql
          AS 'BEGIN r.updated_at := 0; RETURN r; END';
        -- It keeps the first row as it was.
        CREATE FUNCTION production.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
        CREATE TRIGGER zz BEFORE UPDATE ON production.t FOR EACH ROW WHEN (OLD.id = 2) EXECUTE FUNCTION production.keep();
        ALTER TABLE production.t DISABLE TRIGGER actor;
        INSERT INTO production.t SELECT n, 'old', 1 FROM generate_series(2, 10) AS n;
        ALTER TABLE production.t ENABLE TRIGGER actor;
        """
      )
      let merge = try await database.merge {
        $0.batchRows = batchRows
        $0.beforeImages = images
        $0.workers = 1
      }
      #expect(merge.totals.inserted == 30 && merge.totals.updated == 9 && merge.totals.stale == 1, "\(merge.totals)")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'new' AND updated_at = 0") == 39)
      guard images else { return }
      try database.run("ALTER TABLE production.t DISABLE TRIGGER USER")
      #expect(try await database.call("rollback", "1").status == 0)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE note = 'old'") == 10)
    }
  }

  /// Of arrays there are no arrays in which keys could be sent.
  @Test(arguments: ["", "DEFERRABLE INITIALLY DEFERRED"], ["int", "int[]"])
  func `a row that is deleted behind the write is missed whatever its key`(deferral: String, type: String) async throws
  {
    try await TestDatabase.with { database async throws in
      let columns = "id \(type) PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      let key = type == "int" ? "n" : "ARRAY[n]"
      try database.run(
        """
        CREATE FUNCTION production.purge(k \(type)) RETURNS void LANGUAGE sql AS 'DELETE FROM production.t WHERE id = k';
        CREATE FUNCTION production.late() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN IF NEW.updated_at % 10 = 7 THEN PERFORM production.purge(NEW.id); END IF; RETURN NULL; END';
        CREATE \(deferral.isEmpty ? "" : "CONSTRAINT") TRIGGER late AFTER INSERT OR UPDATE ON production.t \(deferral)
          FOR EACH ROW EXECUTE FUNCTION production.late();
        INSERT INTO production.t SELECT \(key), 0 FROM generate_series(11, 30) AS n;
        INSERT INTO staging.t SELECT \(key), n FROM generate_series(1, 40) AS n;
        """
      )
      let merge = try await database.merge()
      let counts = merge.totals
      #expect(counts.errors == 4 && counts.inserted == 18 && counts.updated == 18, "\(counts) \(merge.failures)")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE updated_at > 0") == 36)
    }
  }

  /// The BEFORE trigger writes elsewhere, where a deferred one deletes the row; unless it runs before the row is there.
  @Test func `a row that is deleted by way of another table does not count as merged`() async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT", "INSERT INTO production.log VALUES (NEW.id); RETURN NEW;")
      try database.run(
        """
        DROP TABLE production.t_child;
        CREATE TABLE production.log (id int);
        CREATE FUNCTION production.late() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN DELETE FROM production.t WHERE id = NEW.id AND id = 7; RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON production.log DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION production.late();
        """
      )
      let totals = try await database.merge().totals
      #expect(totals.inserted + totals.updated + totals.errors == 40, "\(totals)")
      #expect(
        try database.count("SELECT count(*) FROM production.t WHERE note = 'new'") == totals.inserted + totals.updated
      )
    }
  }

  @Test(arguments: [1, 50])
  func `ties that a trigger changes are no other rows' updates`(batchRows: Int) async throws {
    try await TestDatabase.with { database async throws in
      try make(
        database,
        trigger: "INSERT OR UPDATE",
        "NEW.note := upper(NEW.note); IF TG_OP = 'INSERT' AND NEW.id = 9 THEN NEW.id := 1; END IF; "
          + "IF TG_OP = 'UPDATE' AND NEW.id = 2 THEN RETURN OLD; END IF; RETURN NEW;"
      )
      try database.run(
        """
        DROP TABLE production.t_child;
        ALTER TABLE production.t DISABLE TRIGGER actor;
        INSERT INTO production.t VALUES (2, 'old', 2), (3, 'old', 2);
        ALTER TABLE production.t ENABLE TRIGGER actor;
        DELETE FROM staging.t WHERE id > 9;
        """
      )
      let merge = try await database.merge {
        $0.batchRows = batchRows
        $0.ties = .compare
      }
      let counts = merge.totals
      #expect(counts.errors == 1 && counts.inserted == 5 && counts.updated == 2 && counts.stale == 1, "\(counts)")
      #expect(try database.rows("SELECT DISTINCT note FROM production.t ORDER BY 1") == ["(NEW)", "(old)"])
    }
  }

  @Test func `a row that a trigger would move to another partition is refused`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int) PARTITION BY RANGE (id",
        staging: "id int, updated_at int"
      )
      try database.run(
        """
        CREATE TABLE production.t1 PARTITION OF production.t FOR VALUES FROM (0) TO (100);
        CREATE TABLE production.t2 PARTITION OF production.t FOR VALUES FROM (100) TO (200);
        CREATE FUNCTION production.act() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN IF NEW.id = 7 THEN NEW.id := 107; END IF; RETURN NEW; END';
        CREATE TRIGGER actor BEFORE INSERT ON production.t FOR EACH ROW EXECUTE FUNCTION production.act();
        INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 40) AS n;
        """
      )
      let merge = try await database.merge()
      #expect(merge.totals.errors == 1 && merge.totals.inserted == 39, "\(merge.failures)")
    }
  }

  @Test func `a run in one transaction goes row by row where triggers stand between`() async throws {
    try await TestDatabase.with { database async throws in
      try make(database, trigger: "INSERT OR UPDATE", "IF NEW.id <= 10 THEN RETURN NULL; END IF; RETURN NEW;")
      let merge = try await database.merge { $0.atomic = true }
      #expect(merge.status == .success && merge.totals.inserted == 30 && merge.totals.stale == 10, "\(merge.failures)")
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
