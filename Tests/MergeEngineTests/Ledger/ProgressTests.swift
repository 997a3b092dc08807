import Foundation
import MergeEngine
import TestSupport
import Testing

/// What is merged stays merged, and what is new is read, whatever is done to staging: with and without a status column.
@Suite struct ProgressTests {
  @Test(arguments: [false, true]) func `a second run reads nothing`(status: Bool) async throws {
    try await TestDatabase.withStagedRows(300, status: status) { database in
      let first = try await database.merge { $0.batchRows = 100 }
      #expect(first.totals.inserted == 300)
      #expect(try await database.merge().totals.read == 0)
    }
  }

  @Test(arguments: [
    "VACUUM FULL staging.t", "CLUSTER staging.t USING t_pkey", "VACUUM FREEZE staging.t", "REINDEX TABLE staging.t",
  ])
  func `rewriting merged staging changes nothing`(statement: String) async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge { $0.batchRows = 100 }
      try database.run(statement)
      #expect(try await database.merge().totals.read == 0)
    }
  }

  @Test func `rows of a run that was rolled back are no merged ones that nobody can tell`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      #expect(try await database.call("--before-images", "--quiet").status == 0)
      #expect(try await database.call("rollback", "1").status == 0)
      try database.run(
        "TRUNCATE staging.t; INSERT INTO staging.t SELECT n, 'again', '2025-01-01' FROM generate_series(1, 300) AS n"
      )
      let report = try await database.merge()
      #expect(report.totals.inserted == 300)
      #expect(report.warnings == [], "\(report.warnings)")
    }
  }

  @Test(arguments: [false, true]) func `a row changed after it was merged is merged again`(status: Bool) async throws {
    try await TestDatabase.withStagedRows(300, status: status) { database in
      try await database.merge()
      try database.run("UPDATE staging.t SET v = 'second', updated_at = '2025-02-01' WHERE id <= 5")
      let report = try await database.merge()
      #expect(report.totals.read == 5)
      #expect(report.totals.updated == 5)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'second'") == 5)
    }
  }

  @Test func `rows added after a merge are merged, and no others read`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      try database.run("INSERT INTO staging.t VALUES (1000, 'late', '2025-01-01')")
      #expect(try await database.merge().totals.read == 1)
    }
  }

  @Test func `rows that were added and changed while a run read on are merged before it says SUCCESS`() async throws {
    try await TestDatabase.withStagedRows(400) { database in
      // The first batch adds a row and changes one, as a load that is still going on does.
      try database.run(
        """
        CREATE FUNCTION public.load() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NOT EXISTS (SELECT FROM staging.t WHERE id = 5000) THEN
            INSERT INTO staging.t VALUES (5000, 'late', '2025-01-01');
            UPDATE staging.t SET v = 'second', updated_at = '2025-02-01' WHERE id = 1;
          END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER load AFTER INSERT ON production.t FOR EACH STATEMENT EXECUTE FUNCTION public.load();
        """
      )
      let report = try await database.merge {
        $0.batchRows = 100
        $0.workers = 1
      }
      #expect(report.status == .success)
      #expect(report.pending == 0)
      #expect(try database.count("SELECT count(*) FROM production.t") == 401)
      #expect(try database.value("SELECT v FROM production.t WHERE id = 1") == "second")
    }
  }

  @Test func `rows to be read again are pending for status, too, when staging was rewritten since`() async throws {
    try await TestDatabase.withStagedRows(30) { database in
      #expect(try await database.call("init", "--quiet").status == 0)
      #expect(try await database.call("merge", "--before-images").status == 0)
      #expect(try await database.merge().totals.read == 0)
      #expect(try await database.call("rollback", "1").status == 0)
      for statement in ["SELECT", "VACUUM FULL staging.t"] {
        try database.run(statement)
        let status = try await database.call("status", "--json")
        #expect(
          try status.json()["tables"].elements.first?["pending"].integer == 30,
          "\(statement): \(status.transcript)"
        )
        #expect(try database.count("SELECT pending_records FROM admin.oracle_pg_migration_status") == 30)
      }
      #expect(try await database.merge().totals.inserted == 30)
    }
  }

  @Test(arguments: ["id int PRIMARY KEY, code int NOT NULL UNIQUE", "id int NOT NULL UNIQUE, code int"])
  func `status counts the rows of a window whose versions are read as they are, whatever the key`(
    columns: String
  ) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "\(columns), updated_at timestamp",
        staging: "id int, code int, updated_at timestamp"
      )
      try database.run("INSERT INTO staging.t SELECT n, n, date '2025-01-01' + n FROM generate_series(1, 10) AS n")
      #expect(try await database.call("merge", "--from", "2025-01-01", "--to", "2025-01-08").status == 0)
      let status = try await database.call("status", "--json")
      let table = try status.json()["tables"].table("t")
      #expect(table["pending"].integer == 4 && table["processed"].integer == 6, "\(status.transcript)")
      #expect(try database.count("SELECT pending_records FROM admin.oracle_pg_migration_status") == 4)
      #expect(try status.json()["windows_read_otherwise"] == .array([]))
    }
  }

  @Test(arguments: [("timestamp(0)", "timestamp"), ("timestamptz", "timestamp"), ("int", "int")])
  func `status says so where it can't count the merged rows of a window`(production: String, staging: String)
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at \(production)",
        staging: "id int, updated_at \(staging)"
      )
      let version = staging == "int" ? "n" : "date '2025-01-01' + n"
      try database.run("INSERT INTO staging.t SELECT n, \(version) FROM generate_series(1, 10) AS n")
      let window = staging == "int" ? ["--from", "1", "--to", "100"] : ["--from", "2025-01-01", "--to", "2026-01-01"]
      #expect(try await database.call("merge", arguments: window).status == 0)
      let text = try await database.call("status")
      let note = "Of t merged rows may be among the pending ones"
      #expect(text.status == 0 && text.output.contains(note), "\(text.transcript)")
      let json = try await database.call("status", "--json").json()
      #expect(json["windows_read_otherwise"] == .array([.string("t")]))
      #expect(json["tables"].table("t")["pending"].integer == 10)
      #expect(try await database.call("plan", "--json").json()["totals"]["read"].integer == 0)
      // What is merged whole is counted, by whatever rules.
      #expect(try await database.call("merge").status == 0)
      let whole = try await database.call("status")
      #expect(!whole.output.contains(note), "\(whole.transcript)")
      let counts = try await database.call("status", "--json").json()
      #expect(counts["windows_read_otherwise"] == .array([]))
      #expect(counts["tables"].table("t")["processed"].integer == 10)
    }
  }

  @Test(arguments: ["VACUUM FULL staging.t", "CLUSTER staging.t USING t_pkey"])
  func `staging that is rewritten while it is read is merged to the last row`(statement: String) async throws {
    try await TestDatabase.withStagedRows(6000) { database in
      try database.run(
        """
        CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$;
        CREATE TRIGGER wait AFTER INSERT ON production.t FOR EACH STATEMENT EXECUTE FUNCTION public.wait();
        DELETE FROM staging.t WHERE id % 3 = 0;
        """
      )
      let merge = database.start {
        $0.batchRows = 100
        $0.workers = 1
      }
      try await database.wait(for: "(SELECT count(*) FROM production.t) > 500")
      try database.run(statement)
      let report = try await database.finish(merge)
      #expect(report.status == .success)
      #expect(try database.difference("SELECT id FROM staging.t", "SELECT id FROM production.t") == [])
    }
  }

  @Test func `staging that is truncated and loaded again in the middle is merged as it is then`() async throws {
    try await TestDatabase.withStagedRows(6000) { database in
      try database.run(
        """
        CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$;
        CREATE TRIGGER wait AFTER INSERT OR UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION public.wait();
        """
      )
      let merge = database.start {
        $0.batchRows = 100
        $0.workers = 1
      }
      try await database.wait(for: "(SELECT count(*) FROM production.t) > 500")
      try database.run(
        """
        BEGIN; TRUNCATE staging.t;
        INSERT INTO staging.t SELECT n, 'second', '2025-02-01' FROM generate_series(1, 3000) AS n; COMMIT;
        """
      )
      let report = try await database.finish(merge)
      #expect(report.status == .success)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'second'") == 3000)
    }
  }

  @Test func `no batch has more rows than asked for, however unevenly staging is filled`() async throws {
    try await TestDatabase.withStagedRows(20_000) { database in
      // Sparse blocks first, dense ones after them.
      try database.run("UPDATE staging.t SET v = 'moved'")
      try database.run("VACUUM staging.t")
      try database.run("DELETE FROM staging.t WHERE id % 10 <> 0")
      try database.run(
        "INSERT INTO staging.t SELECT n, 'dense', '2025-01-01' FROM generate_series(30001, 60000) AS n; ANALYZE staging.t"
      )
      let report = try await database.merge { $0.batchRows = 1000 }
      #expect(report.totals.read == 32_000)
      #expect(try database.count("SELECT max(records_read) FROM admin.merge_batches") == 1000)
    }
  }

  @Test func `cleanup leaves rows that were never read, though there are as many as were read`() async throws {
    try await TestDatabase.withStagedRows(1000) { database in
      try database.run(
        """
        CREATE FUNCTION public.swap() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          DELETE FROM staging.t WHERE id <= 10;
          INSERT INTO staging.t SELECT n, 'late', '2025-01-01' FROM generate_series(5001, 5010) AS n
          ON CONFLICT DO NOTHING;
          RETURN NULL;
        END $$;
        CREATE TRIGGER swap AFTER INSERT ON production.t FOR EACH STATEMENT EXECUTE FUNCTION public.swap();
        """
      )
      let report = try await database.merge {
        $0.batchRows = 500
        $0.cleanup = true
      }
      #expect(report.status == .success)
      #expect(try database.count("SELECT count(*) FROM staging.t") == 0)
      #expect(
        try database.count("SELECT count(*) FROM production.t WHERE id > 5000") == 10,
        "merged before it was truncated"
      )
    }
  }

  @Test func `a run that ends early says how many rows are left, and what became of the others`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at int);
        CREATE TABLE staging.t (id int, v int, updated_at int);
        INSERT INTO staging.t SELECT n, n % 50, 1 FROM generate_series(1, 1000) AS n
        """
      )
      let atomic = try await database.call("merge", "--atomic")
      #expect(atomic.status == 74, "\(atomic.transcript)")
      #expect(
        atomic.output.contains(
          "Nothing was merged: --atomic has rolled back everything. 1,000 rows of staging are left."
        ),
        "\(atomic.output)"
      )
      let early = try await database.call("merge", "--max-errors", "0", "--batch", "100", "--workers", "1", "--json")
      #expect(early.status == 74, "\(early.transcript)")
      let pending = try early.json()["totals"]["pending"].integer
      let status = try await database.call("status", "--json").json()["tables"].table("t")
      #expect(pending == status["pending"].integer && pending ?? 0 > 0)
    }
  }

  @Test func `logs can be pruned without harm`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      try database.run("TRUNCATE admin.merge_batches, admin.merge_logs, admin.merge_summary")
      #expect(try await database.merge().totals.read == 0)
    }
  }

  @Test func `a window leaves the rest for another run, and both together are all`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try database.run("UPDATE staging.t SET updated_at = '2025-03-01' WHERE id > 200")
      let first = try await database.merge { $0.to = "2025-02-01" }
      #expect(first.totals.read == 200)
      #expect(try await database.merge { $0.to = "2025-02-01" }.totals.read == 0)
      #expect(try await database.merge().totals.read == 100)
      #expect(try await database.merge().totals.read == 0)
    }
  }

  @Test func `behind a transaction that stays open everything is merged all the same`() async throws {
    try await TestDatabase.withStagedRows(10) { database in
      let long = try database.connect()
      try long.run("CREATE TABLE public.other (); BEGIN; INSERT INTO public.other DEFAULT VALUES")
      try database.run("INSERT INTO staging.t SELECT n, 'late', '2025-01-01' FROM generate_series(11, 300) AS n")
      #expect(try await database.merge { $0.batchRows = 100 }.totals.inserted == 300)
      #expect(try await database.merge().totals.read == 0)
      try long.run("COMMIT")
      #expect(try await database.merge().totals.read == 0)
    }
  }
}
