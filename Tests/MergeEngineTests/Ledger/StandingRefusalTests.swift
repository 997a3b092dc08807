import Foundation
import MergeEngine
import TestSupport
import Testing

/// A refusal is not forgotten the night after.
@Suite struct StandingRefusalTests {
  @Test(arguments: [false, true]) func `the next run is no success while rows stand refused, and reads none of them`(
    status: Bool
  ) async throws {
    try await TestDatabase.withRefusedRows(status: status) { database in
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(report.totals.read == 0)
      #expect(report.standingErrors == 2)
      let outcome = try await database.call("merge", "--json")
      #expect(outcome.status == 65)
      #expect(try outcome.json()["totals"]["standing_errors"].integer == 2)
    }
  }

  @Test func `what was dismissed stays so when its run's records are deleted, until its row is gone`() async throws {
    try await TestDatabase.withRefusedRows { database in
      #expect(try await database.call("errors", "dismiss", "--reason", "known").status == 0)
      try database.run("UPDATE admin.merge_summary SET merge_start = merge_start - interval '9 days'")
      let prune = ["cleanup", "--keep-task", "--keep-staging", "--older-than", "1"]
      #expect(try await database.call(arguments: prune).status == 0)
      #expect(try database.count("SELECT count(*) FROM admin.merge_summary") == 0)
      #expect(try await database.call("why", "t", "1").output.contains("dismissed"))
      #expect(try await database.call("verify", "--recheck-after", "0").status == 0)
      let list = try await database.call("errors", "list", "--dismissed", "--json")
      #expect(try list.json()["errors"].elements.count == 2, "\(list.transcript)")
      try database.run(
        "DELETE FROM staging.t WHERE id = 1; UPDATE production.t SET v = v; ALTER TABLE production.t DROP CONSTRAINT t_v_check"
      )
      #expect(try await database.call("errors", "retry", "--dismissed").status == 0)
      #expect(try await database.merge().totals.inserted == 1)
    }
  }

  /// The run that has refused them was not to make marks, or staging's server has lost them.
  @Test(arguments: [false, true], ["SELECT", "VACUUM FULL staging.t"])
  func `marks that refused rows lack are made by the next run`(elsewhere: Bool, meanwhile: String) async throws {
    try await TestDatabase.withPair { production, other in
      let staging = elsewhere ? other : production
      let source = elsewhere ? ["--staging-database", other.connectionString] : []
      try production.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);"
      )
      try staging.run(
        """
        CREATE SCHEMA staging;
        CREATE TABLE staging.t (id int, v int, updated_at timestamp, _dms_processing_status varchar(20) DEFAULT 'NEW');
        INSERT INTO staging.t SELECT n, n - 2, '2025-01-01' FROM generate_series(1, 5) AS n;
        """
      )
      #expect(try await production.call("merge", "--mark", "none", arguments: source).status == 65)
      #expect(try staging.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'NEW'") == 5)
      try staging.run(meanwhile)
      for _ in 0..<2 {
        let merge = try await production.call("merge", "--json", arguments: source)
        let totals = try merge.json()["totals"]
        #expect(merge.status == 65 && totals["standing_errors"].integer == 2, "\(merge.transcript)")
        #expect(totals["read"].integer == 0)
        #expect(
          try staging.rows("SELECT concat(id, _dms_processing_status) FROM staging.t ORDER BY id")
            == ["(1ERROR)", "(2ERROR)", "(3PROCESSED)", "(4PROCESSED)", "(5PROCESSED)"]
        )
      }
      // They are found where they lie now.
      try staging.run("UPDATE staging.t SET v = 7 WHERE id = 1")
      try production.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      #expect(try await production.call("errors", "retry", arguments: source).status == 0)
      let last = try await production.call("merge", "--json", arguments: source)
      #expect(try last.status == 0 && last.json()["totals"]["inserted"].integer == 2, "\(last.transcript)")
    }
  }

  @Test(arguments: ["plan", "verify", "status"]) func `other commands say so too`(command: String) async throws {
    try await TestDatabase.withRefusedRows { database in
      let outcome = try await database.call(command)
      #expect(outcome.status == 65, "\(outcome.everything)")
    }
  }

  @Test(arguments: [false, true]) func `retried rows are read again, and merged once their cause is mended`(
    status: Bool
  ) async throws {
    try await TestDatabase.withRefusedRows(status: status) { database in
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      #expect(try await database.call("errors", "retry", "--json").json()["released"]["t"].integer == 2)
      let report = try await database.merge()
      #expect(report.status == .success)
      #expect(report.totals.inserted == 2)
    }
  }

  /// JSON that jsonb does not take, in a row beside the refused one.
  @Test func `a row that can't be compared hides no refusal`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, v int CHECK (v > 0), j json, updated_at int",
        staging: "id int, v int, j json, updated_at int"
      )
      try database.run(#"INSERT INTO staging.t VALUES (1, 5, '"\u0000"', 1), (1, -7, '1', 2)"#)
      #expect(try await database.merge().totals.errors == 1)
      try database.run("VACUUM FULL staging.t")
      #expect(try await database.merge().standingErrors > 0)
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      #expect(try await database.call("errors", "retry").status == 0)
      #expect(try await database.call("merge").status == 0)
      #expect(try database.count("SELECT v FROM production.t") == -7)
    }
  }

  @Test func `dismissed rows no longer count, and keep their reason`() async throws {
    try await TestDatabase.withRefusedRows { database in
      let dismissal = try await database.call("errors", "dismiss", "--reason", "test rows")
      #expect(dismissal.status == 0)
      #expect(try await database.merge().status == .success)
      #expect(
        try database.rows("SELECT DISTINCT dismissed_because FROM admin.merge_errors") == ["(\"test rows\")"]
      )
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.isEmpty)
    }
  }

  @Test func `nobody misses dismissed rows, and they can be had back`() async throws {
    try await TestDatabase.withRefusedRows { database in
      #expect(try await database.call("errors", "dismiss", "--reason", "test rows").status == 0)
      let verified = try await database.call("verify", "--json", "--recheck-after", "0")
      #expect(verified.status == 0, "\(verified.transcript)")
      let left = try verified.json()["tables"].table("t")["not_compared"]
      #expect(left["dismissed"].integer == 2 && left["refused"].integer == 0 && left["unread"].integer == 0)
      #expect(try await database.call("why", "t", "1").output.contains("dismissed: no merge reads it.\n"))
      #expect(try await database.call("errors", "list").output.contains("2 rows dismissed: errors list --dismissed"))
      #expect(try await database.call("errors", "list", "--dismissed").output.contains("test rows"))
      #expect(
        try await database.call("errors", "retry").output
          == "No refused rows.\n2 rows stay dismissed: errors retry --dismissed has the next merge read such rows again.\n"
      )
      #expect(try await database.call("errors", "retry", "--json").json()["dismissed"].integer == 2)
      let released = try await database.call("errors", "retry", "--dismissed")
      #expect(released.output == "t: the next merge tries 2 rows again.\n", "\(released.transcript)")
      let report = try await database.merge()
      #expect(report.totals.read == 2 && report.totals.errors == 2)
    }
  }

  @Test func `a refusal ends when its staging row is gone or changed`() async throws {
    try await TestDatabase.withRefusedRows { database in
      try database.run("DELETE FROM staging.t WHERE id = 1; UPDATE staging.t SET v = 1 WHERE id = 2")
      let report = try await database.merge()
      #expect(report.status == .success)
      #expect(report.totals.inserted == 1)
    }
  }

  @Test func `a row that its loader changes while it is being refused leaves no refusal behind`() async throws {
    try await TestDatabase.with { database in
      try database.letBatchesWait()
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE SEQUENCE production.looks;
        CREATE FUNCTION production.is_good(v text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
          IF v <> 'bad' THEN RETURN true; END IF;
          -- After the first time the batch is carried with care.
          IF nextval('production.looks') > 1 THEN PERFORM pg_advisory_xact_lock_shared(1993); END IF;
          RETURN false;
        END $$;
        CREATE TABLE production.t (id int PRIMARY KEY, v text CHECK (production.is_good(v)), updated_at int);
        CREATE TABLE staging.t (id int, v text, updated_at int);
        INSERT INTO staging.t VALUES (1, 'bad', 1), (2, 'good', 1);
        """
      )
      let loader = try database.connect()
      try loader.run("SELECT pg_advisory_lock(1993)")
      let merge = database.start {
        $0.workers = 1
        $0.maxLockMilliseconds = 600_000
      }
      try await database.waitForBlockedWorker()
      try loader.run("UPDATE staging.t SET v = 'good', updated_at = 2 WHERE id = 1")
      try loader.run("SELECT pg_advisory_unlock(1993)")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 2 && report.totals.errors == 0, "\(report.totals)")
      #expect(try database.count("SELECT count(*) FROM admin.merge_errors") == 0)
      #expect(try database.rows("TABLE production.t ORDER BY 1") == ["(1,good,2)", "(2,good,1)"])
    }
  }

  /// What every reader of the record says stands refused.
  private static func standing(_ database: TestDatabase) async throws -> [String: Int?] {
    let page = try await database.call("report", "1", "--output", "-").output
    return [
      "errors list": try await database.call("errors", "list", "--json").json()["errors"].elements.count,
      "status": try await database.call("status", "--json").json()["tables"].table("t")["errors"].integer,
      "view": try database.count("SELECT error_records FROM admin.oracle_pg_migration_status"),
      "metrics": try await database.call("status", "--prometheus", "-").output.split(separator: "\n")
        .first { $0.hasPrefix("merge_engine_quarantined_rows{") }?.split(separator: " ").last.flatMap { Int($0) } ?? 0,
      "report": page.firstMatch(of: /(\d+) refused rows? of the run/).map { Int($0.1) ?? -1 } ?? 0,
    ]
  }

  @Test(
    arguments: [
      // Each leaves as many of the two refused rows where they were.
      ("SELECT", 2), ("VACUUM FULL staging.t", 2), ("DELETE FROM staging.t WHERE id = 1", 1),
      ("UPDATE staging.t SET v = v WHERE id = 1", 1), ("DELETE FROM staging.t WHERE id = 1; VACUUM FULL staging.t", 1),
      ("TRUNCATE staging.t", 0),
      ("TRUNCATE staging.t; INSERT INTO staging.t SELECT n, n - 2, '2025-01-01' FROM generate_series(1, 10) AS n", 0),
    ]
  ) func `list, status, view, metrics and report agree on what stands, before any merge has looked`(
    change: String,
    count: Int
  ) async throws {
    try await TestDatabase.withRefusedRows { database in
      for statement in change.split(separator: "; ") { try database.run(String(statement)) }
      for (reader, said) in try await Self.standing(database) { #expect(said == count, "\(reader) after \(change)") }
      #expect(
        try await database.call("errors", "dismiss", "--reason", "test", "--json").json()["dismissed"].integer == count
      )
    }
  }

  @Test func `rows that may not be looked at count as there`() async throws {
    try await TestDatabase.withRefusedRows { database in
      let role = "reader_of_\(database.name)"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN; GRANT USAGE ON SCHEMA admin TO \(role);
        GRANT SELECT ON ALL TABLES IN SCHEMA admin TO \(role); TRUNCATE staging.t
        """
      )
      let listed = try await CommandLineProgram.run([
        "errors", "list", "--json", "--database", database.connectionString(role: role),
      ])
      #expect(try listed.json()["errors"].elements.count == 2, "\(listed.everything)")
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `a child whose parent another run has merged is merged`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.tree (id int PRIMARY KEY, parent int REFERENCES production.tree, updated_at timestamp);
        CREATE TABLE staging.tree (id int, parent int, updated_at timestamp);
        INSERT INTO staging.tree SELECT n, n + 1000, '2025-01-01' FROM generate_series(1, 200) AS n;
        """
      )
      #expect(try await database.merge { $0.batchRows = 50 }.totals.errors == 200)
      try database.run("INSERT INTO staging.tree SELECT n + 1000, NULL, '2025-01-01' FROM generate_series(1, 200) AS n")
      let report = try await database.merge { $0.batchRows = 50 }
      #expect(report.status == .success, "\(report)")
      #expect(try database.count("SELECT count(*) FROM production.tree") == 400)
    }
  }

  @Test func `plan counts the refused rows that a merge tries by itself, as the merge does`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.parent (id int PRIMARY KEY, updated_at timestamp);
        CREATE TABLE production.child (id int PRIMARY KEY, parent int REFERENCES production.parent, v int CHECK (v > 0), updated_at timestamp);
        CREATE TABLE staging.parent (id int, updated_at timestamp);
        CREATE TABLE staging.child (id int, parent int, v int, updated_at timestamp);
        INSERT INTO staging.child SELECT n, n, n - 1, '2025-01-01' FROM generate_series(1, 5) AS n;
        """
      )
      #expect(try await database.merge().totals.errors == 5)
      for parents in [[], [3, 4], [1]] {
        for parent in parents { try database.run("INSERT INTO production.parent VALUES (\(parent), '2025-01-01')") }
        let plan = try await database.call("plan", "--json")
        let merge = try await database.call("merge", "--json")
        #expect((plan.status, merge.status) == (65, 65), "\(plan.transcript)")
        for count in ["read", "inserted", "errors", "standing_errors"] {
          #expect(try plan.json()["totals"][count] == merge.json()["totals"][count], "\(count) with \(parents)")
        }
      }
      #expect(try database.rows("SELECT id FROM production.child ORDER BY 1") == ["(3)", "(4)"])
    }
  }

  @Test(arguments: [74, 137]) func `children whose run ends before their parents come are merged by the next run`(
    status: Int32
  ) async throws {
    try await TestDatabase.with(in: .sleeping) { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.tree (id int PRIMARY KEY, parent int REFERENCES production.tree, updated_at timestamp);
        CREATE TABLE production.other (id int PRIMARY KEY, updated_at timestamp);
        CREATE TABLE staging.tree (id int, parent int, updated_at timestamp);
        CREATE TABLE staging.other (id int, updated_at timestamp);
        INSERT INTO production.other VALUES (1, '2024-01-01');
        INSERT INTO staging.other VALUES (1, '2025-01-01');
        INSERT INTO staging.tree SELECT n, 10000 + n, '2025-01-01' FROM generate_series(1, 2000) AS n;
        INSERT INTO staging.tree SELECT 10000 + n, NULL, '2025-01-01' FROM generate_series(1, 2000) AS n;
        """
      )
      let holder = try database.connect()
      try holder.run("BEGIN; SELECT FROM production.other WHERE id = 1 FOR UPDATE")
      let first = try database.launch(
        ["merge", "--batch", "500", "--lock-timeout", status == 74 ? "100" : "10000"]
      )
      if status != 74 {
        try await database.waitForBlockedWorker()
        first.send(SIGKILL)
      }
      #expect(try await first.outcome().status == status)
      try holder.run("COMMIT")
      try await database.waitForTheEndOfAllSessions()
      let second = try await database.call("merge", "--batch", "500")
      #expect(second.status == 0, "\(second.everything)")
      #expect(try database.count("SELECT count(*) FROM production.tree") == 4000)
    }
  }

  @Test func `the view counts every row once: what is unread is pending, whether it was refused or not`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);
        CREATE TABLE staging.t (id int, v int, updated_at timestamp);
        INSERT INTO staging.t SELECT n, n - 2, '2025-01-01' FROM generate_series(1, 10) AS n;
        """
      )
      let counts = """
        SELECT total_records, pending_records, processed_records, error_records FROM admin.oracle_pg_migration_status
        """
      let run = try await database.mergeKeepingImages()
      #expect(try database.rows(counts) == ["(10,0,8,2)"])
      try await database.rollBack(run.runID)
      #expect(try database.rows(counts) == ["(10,8,0,2)"])
      try database.run("DELETE FROM admin.merge_progress")
      #expect(try database.rows(counts) == ["(10,10,0,0)"])
    }
  }
}
