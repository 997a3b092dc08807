import TestSupport
import Testing

/// What the options of merge change.
@Suite struct MergeOptionTests {
  @Test func `atomic shows nothing to others before everything is written`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 1998 FOR UPDATE")
      let before = try database.versions(of: "production.customers") + database.versions(of: "staging.orders")
      let merge = try database.launch(["--atomic", "--batch", "100", "--workers", "4", "--json"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      #expect(try database.versions(of: "production.customers") + database.versions(of: "staging.orders") == before)
      try other.run("ROLLBACK")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0)
      #expect(try outcome.json()["workers"].integer == 1)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.staged("PROCESSED") == 2000)
    }
  }

  @Test func `atomic that fails leaves production and marks as they were, and says why in merge_summary`() async throws
  {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run(
        "ALTER TABLE production.orders ADD CONSTRAINT no_seventeen CHECK (amount <> 1997 % 1000 + 0.75)"
      )
      let tables = ["production.orders", "production.customers", "staging.orders", "staging.customers"]
      let before = try tables.map { try database.versions(of: $0) }
      let outcome = try await database.call("--atomic", "--batch", "100", "--json")
      #expect(outcome.status == 74)
      #expect(try outcome.json()["status"].text == "FAILED")
      #expect(try outcome.json()["totals"]["read"].integer == 0)
      #expect(try outcome.json()["failures"].elements.first?.text?.contains("no_seventeen") == true)
      #expect(outcome.errors.contains("orders") && outcome.errors.contains("no_seventeen"))
      #expect(outcome.errors.contains("SQLSTATE 23514"))
      #expect(try tables.map { try database.versions(of: $0) } == before)
      #expect(try database.runStatuses() == "FAILED")
      #expect(try database.holds("SELECT notes LIKE '%no_seventeen%23514%' FROM admin.merge_summary"))
      #expect(try database.number("SELECT count(*) FROM admin.merge_errors") == 0)
    }
  }

  @Test func `atomic that fails at its commit leaves everything as it was`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run(
        """
        ALTER TABLE production.orders ADD CONSTRAINT known_customer
        FOREIGN KEY (customer_id) REFERENCES production.customers DEFERRABLE INITIALLY DEFERRED NOT VALID;
        DELETE FROM staging.customers WHERE customer_id = 2
        """
      )
      let orders = try database.versions(of: "production.orders")
      let outcome = try await database.call("--atomic")
      #expect(outcome.status == 74)
      #expect(outcome.errors.contains("known_customer"))
      #expect(try database.versions(of: "production.orders") == orders)
      #expect(try database.staged("NEW") == 2000)
      #expect(try database.runStatuses() == "FAILED")
    }
  }

  /// They have failed no run of their own, and are no part of the transaction.
  @Test(arguments: [false, true])
  func `atomic leaves rows that were refused earlier as they stand, and all else is merged`(hasStatus: Bool)
    async throws
  {
    try await TestDatabase.with { database in
      let status = hasStatus ? ", _dms_processing_status varchar(20) DEFAULT 'NEW'" : ""
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.p (id int PRIMARY KEY, a text, updated_at int);
        CREATE TABLE production.c (id int PRIMARY KEY, p int REFERENCES production.p, updated_at int);
        CREATE TABLE staging.p (id int, a text, updated_at int\(status)); CREATE TABLE staging.c (id int, p int, updated_at int\(status));
        INSERT INTO production.p VALUES (1, 'old', 1);
        INSERT INTO staging.c VALUES (1, 77, 1), (2, 2, 1);
        """
      )
      #expect(try await database.call().status == 65)
      try database.run("INSERT INTO staging.p VALUES (1, 'new', 2), (2, 'new', 2)")
      for _ in 1...2 {
        let atomic = try await database.call("--atomic", "--json")
        #expect(atomic.status == 65, "\(atomic.transcript)")
        #expect(try database.rows("TABLE production.p ORDER BY id") == ["(1,new,2)", "(2,new,2)"])
        #expect(try database.rows("TABLE production.c") == ["(2,2,1)"])
        let listed = try await database.call("errors", "list", "--json").json()["errors"].elements
        #expect(listed.count == 1 && listed.first?["row_key"].text == #"{"id": 1}"#, "\(listed)")
      }
      // A row that the run itself brings fails it as a whole.
      try database.run("INSERT INTO staging.p VALUES (3, 'new', 2); INSERT INTO staging.c VALUES (4, 78, 2)")
      let failed = try await database.call("--atomic")
      #expect(failed.status == 74 && failed.output.contains("Nothing was merged"), "\(failed.transcript)")
      #expect(try database.rows("SELECT count(*) FROM production.p") == ["(2)"])
    }
  }

  /// What CDC waits for is held until all of the run ends: no attempt of a batch could ever succeed.
  @Test func `atomic gives way to who waits for it and holds what it waits for`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1), (2, 1), (3, 1); INSERT INTO staging.t SELECT id, 2 FROM production.t;
        """
      )
      let target = database.connectionString
      let cdc = Task {
        try await onItsOwnThread {
          let cdc = try TestDatabase(connectionString: target)
          let waits = "datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
          // Whoever finds the deadlock is ended by it.
          try cdc.run("SET deadlock_timeout = '1h'; BEGIN; UPDATE production.t SET updated_at = 3 WHERE id = 3")
          while try !cdc.holds("EXISTS (SELECT FROM pg_stat_activity WHERE \(waits))") {
            try cdc.run("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)")
          }
          try cdc.run("UPDATE production.t SET updated_at = 3 WHERE id = 1; COMMIT")
        }
      }
      try await database.wait(
        for:
          "EXISTS (SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE '%pg_stat_clear_snapshot%')"
      )
      let outcome = try await database.call("--atomic", "--batch", "1", "--lock-timeout", "1000")
      try await cdc.value
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.errors.contains("so it gave way"), "\(outcome.transcript)")
      #expect(try database.rows("TABLE production.t ORDER BY id") == ["(1,3)", "(2,1)", "(3,3)"])
      #expect(try await database.call("--atomic").status == 0)
      #expect(try database.rows("TABLE production.t ORDER BY id") == ["(1,3)", "(2,2)", "(3,3)"])
    }
  }

  @Test func `without marks staging is not touched, and a second run reads nothing`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      let staging = try database.versions(of: "staging.orders")
      #expect(try await database.call("--mark", "none").status == 0)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.versions(of: "staging.orders") == staging)
      let second = try await database.call("--mark", "none", "--json")
      #expect(try second.json()["totals"]["read"].integer == 0)
    }
  }

  @Test func `staging without a status column is merged without marks, and nobody is warned`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.run("ALTER TABLE staging.orders DROP COLUMN _dms_processing_status CASCADE")
      try database.fillGuideTables()
      try database.expectGuideResult()
      let outcome = try await database.call()
      #expect(outcome.status == 0)
      #expect(!outcome.errors.contains("_dms_processing_status"))
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `strict nulls are the guide's comparison`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.expectGuideResult(nullsLose: false)
      #expect(try await database.call("--nulls", "strict").status == 0)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `a window takes its first moment, not its last, and leaves the rest for later`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.run(
        """
        INSERT INTO staging.orders (order_id, updated_at) VALUES
        (1, '2025-01-01'), (2, '2025-01-10'), (3, '2025-01-15'), (4, '2025-01-20'), (5, NULL), (6, 'infinity')
        """
      )
      func merged() throws -> [String] { try database.sortedRows("SELECT order_id FROM production.orders") }
      #expect(try await database.call("--from", "2025-01-10", "--to", "2025-01-20 00:00:00").status == 0)
      #expect(try merged() == ["(2)", "(3)"])
      #expect(try database.staged("NEW") == 4)
      #expect(try await database.call("--to", "2025-01-10").status == 0)
      #expect(try merged() == ["(1)", "(2)", "(3)"])
      #expect(try await database.call("--from", "2025-01-20").status == 0)
      #expect(try merged() == ["(1)", "(2)", "(3)", "(4)", "(6)"])
      #expect(try await database.call().status == 0)
      #expect(try merged().count == 6)
    }
  }

  @Test func `the time zone says what a time without one means`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at timestamptz);
        CREATE TABLE staging.t (id int, updated_at timestamp);
        INSERT INTO staging.t VALUES (1, '2025-07-01 12:00');
        """
      )
      #expect(try await database.call("--time-zone", "Europe/Berlin").status == 0)
      #expect(try database.holds("SELECT updated_at = '2025-07-01 10:00+00' FROM production.t"))
    }
  }

  @Test func `only the named tables are merged`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let outcome = try await database.call("--table", "customers", "--json")
      #expect(try outcome.json()["tables"].elements.compactMap { $0["table"].text } == ["customers"])
      #expect(try database.staged("NEW") == 2000)
      #expect(try await database.call("--table", "customers", "--table", "orders").status == 0)
      #expect(try database.staged("NEW") == 0)
    }
  }
}
