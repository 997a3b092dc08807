import Foundation
import MergeEngine
import TestSupport
import Testing

/// A refusal is not forgotten the night after.
@Suite struct StandingRefusalTests {
  private static func withRefusedRows(
    status: Bool = false,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamp);
        CREATE TABLE staging.t (id int, v int, updated_at timestamp\(status ? ", _dms_processing_status varchar(20) DEFAULT 'NEW'" : ""));
        INSERT INTO staging.t SELECT n, n - 2, '2025-01-01' FROM generate_series(1, 10) AS n;
        """
      )
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(report.totals.errors == 2)
      try await body(database)
    }
  }

  @Test(arguments: [false, true]) func `the next run is no success while rows stand refused, and reads none of them`(
    status: Bool
  ) async throws {
    try await Self.withRefusedRows(status: status) { database in
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(report.totals.read == 0)
      #expect(report.standingErrors == 2)
      let outcome = try await database.call("merge", "--json")
      #expect(outcome.status == 65)
      #expect(try outcome.json()["totals"]["standing_errors"].integer == 2)
    }
  }

  /// Before a merge has noted where it is.
  @Test(arguments: [
    "ALTER SCHEMA production RENAME TO attic", "CREATE SCHEMA attic; ALTER TABLE production.t SET SCHEMA attic",
  ])
  func `rows refused for a table that lies in another schema by now are shown and retried`(move: String) async throws {
    try await Self.withRefusedRows { database in
      try database.run(move)
      let attic = ["--production-schema", "attic"]
      let status = try await database.call(arguments: ["status", "--json"] + attic)
      #expect(
        try status.status == 65 && status.json()["tables"].table("t")["errors"].integer == 2,
        "\(status.transcript)"
      )
      let list = try await database.call(arguments: ["errors", "list", "--json"] + attic)
      #expect(try list.json()["errors"].elements.count == 2, "\(list.transcript)")
      try database.run("ALTER TABLE attic.t DROP CONSTRAINT t_v_check")
      let retry = try await database.call(arguments: ["errors", "retry"] + attic)
      #expect(retry.status == 0 && retry.output.contains("2 rows"), "\(retry.transcript)")
      let merge = try await database.call(arguments: ["merge", "--json"] + attic)
      #expect(try merge.status == 0 && merge.json()["totals"]["inserted"].integer == 2, "\(merge.transcript)")
    }
  }

  @Test func `what was dismissed stays so when its run's records are deleted, until its row is gone`() async throws {
    try await Self.withRefusedRows { database in
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

  @Test(arguments: [
    ("ALTER SCHEMA production RENAME TO later", ["--production-schema", "later"]),
    ("ALTER TABLE production.t RENAME TO u; ALTER TABLE staging.t RENAME TO u", []),
  ])
  func `a production table that is renamed keeps them`(statement: String, options: [String]) async throws {
    try await Self.withRefusedRows { database in
      try database.run(statement)
      let kept = try await database.call(arguments: ["cleanup", "--keep-task"] + options)
      #expect(kept.status == 65, "\(kept.transcript)")
      #expect(try database.count("SELECT count(*) FROM \(options.isEmpty ? "staging.u" : "staging.t")") == 10)
      let merged = try await database.call(arguments: ["merge", "--json"] + options)
      #expect(merged.status == 65, "\(merged.transcript)")
      #expect(try merged.json()["totals"]["standing_errors"].integer == 2)
      // By the name that it has now.
      let listed = try await database.call(arguments: ["errors", "list", "--json"] + options)
      #expect(try listed.json()["errors"].elements.count == 2, "\(listed.transcript)")
    }
  }

  @Test(arguments: [false, true]) func `a staging schema that is renamed keeps them, before the next merge too`(
    isMerged: Bool
  ) async throws {
    try await Self.withRefusedRows { database in
      try database.run("ALTER SCHEMA staging RENAME TO later; CREATE SCHEMA staging")
      let later = ["--staging-schema", "later"]
      if isMerged { #expect(try await database.call(arguments: ["merge"] + later).status == 65) }
      func listed(_ options: [String]) async throws -> Int {
        try await database.call(arguments: ["errors", "list", "--json"] + options).json()["errors"].elements.count
      }
      #expect(try await listed(later) == 2)
      #expect(try await listed([]) == 0)
      let dismissal = try await database.call("errors", "dismiss", "--reason", "test rows", "--json")
      #expect(try dismissal.json()["dismissed"].integer == 0, "\(dismissal.transcript)")
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      let retry = try await database.call(arguments: ["errors", "retry", "--json"] + later)
      #expect(try retry.json()["released"]["t"].integer == 2, "\(retry.transcript)")
      #expect(try await database.call(arguments: ["merge"] + later).status == 0)
      #expect(try database.count("SELECT count(*) FROM production.t") == 10)
    }
  }

  @Test func `refusals of a renamed staging schema can be dismissed before the next merge`() async throws {
    try await Self.withRefusedRows { database in
      try database.run("ALTER SCHEMA staging RENAME TO later")
      let later = ["--staging-schema", "later"]
      #expect(try await database.call(arguments: ["errors", "dismiss", "--reason", "test rows"] + later).status == 0)
      #expect(try await database.call(arguments: ["merge"] + later).status == 0)
      let dismissed = try await database.call(arguments: ["errors", "list", "--dismissed", "--json"] + later)
      #expect(try dismissed.json()["errors"].elements.count == 2, "\(dismissed.transcript)")
    }
  }

  @Test(arguments: ["plan", "verify", "status"]) func `other commands say so too`(command: String) async throws {
    try await Self.withRefusedRows { database in
      let outcome = try await database.call(command)
      #expect(outcome.status == 65, "\(outcome.everything)")
    }
  }

  @Test(arguments: [false, true]) func `retried rows are read again, and merged once their cause is mended`(
    status: Bool
  ) async throws {
    try await Self.withRefusedRows(status: status) { database in
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      #expect(try await database.call("errors", "retry", "--json").json()["released"]["t"].integer == 2)
      let report = try await database.merge()
      #expect(report.status == .success)
      #expect(report.totals.inserted == 2)
    }
  }

  /// Of one key, and written by one transaction.
  @Test(arguments: [false, true]) func `of several rows of a key the refused one alone stands refused after a rewrite`(
    isDropped: Bool
  ) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, v int CHECK (v > 0), updated_at timestamptz, j json, w int",
        staging: "id int, v int, updated_at timestamptz, j json, w int"
      )
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, 5, '2025-01-01'), (1, -7, '2025-01-03'), (1, 6, '2025-01-02'), (2, 1, '2025-01-01');
        """
      )
      let first = try await database.call("merge", "--json")
      #expect(try first.json()["totals"]["errors"].integer == 1, "\(first.transcript)")
      try database.run("VACUUM FULL staging.t")
      // What they held can't be compared any more: rather all than the wrong one.
      if isDropped { try database.run("ALTER TABLE staging.t DROP w") }
      let plan = try await database.call("plan", "--json")
      #expect(try plan.json()["totals"]["standing_errors"].integer == (isDropped ? 3 : 1), "\(plan.transcript)")
      let status = try await database.call("status", "--json")
      #expect(try status.json()["tables"].table("t")["errors"].integer == 1, "\(status.transcript)")
      #expect(try status.json()["tables"].table("t")["processed"].integer == 3, "\(status.transcript)")
      #expect(try database.count("SELECT error_records FROM admin.oracle_pg_migration_status") == 1)
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_v_check")
      let retry = try await database.call("errors", "retry", "--json")
      #expect(try retry.json()["released"]["t"].integer == (isDropped ? 3 : 1), "\(retry.transcript)")
      #expect(try await database.call("merge").status == 0)
      #expect(try database.count("SELECT v FROM production.t WHERE id = 1") == -7)
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
    try await Self.withRefusedRows { database in
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
    try await Self.withRefusedRows { database in
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
    try await Self.withRefusedRows { database in
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

  @Test func `a refusal stands when staging is rewritten`() async throws {
    try await Self.withRefusedRows { database in
      try database.run("VACUUM FULL staging.t")
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(report.standingErrors == 2)
    }
  }

  @Test func `a row that was rewritten and refused again stands refused once`() async throws {
    try await Self.withRefusedRows { database in
      let again = try await database.mergeKeepingImages { $0.again = true }
      try await database.rollBack(again.runID)
      try database.run("VACUUM FULL staging.t")
      try database.run("TRUNCATE admin.merge_progress")
      #expect(try await database.merge().totals.errors == 2)
      #expect(try await database.merge().standingErrors == 2)
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.count == 2)
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
    try await Self.withRefusedRows { database in
      for statement in change.split(separator: "; ") { try database.run(String(statement)) }
      for (reader, said) in try await Self.standing(database) { #expect(said == count, "\(reader) after \(change)") }
      #expect(
        try await database.call("errors", "dismiss", "--reason", "test", "--json").json()["dismissed"].integer == count
      )
    }
  }

  @Test func `what a dump has brought from another server says nothing of rows here`() async throws {
    try await Self.withRefusedRows { database in
      // As a dump has it that is restored where the tables happen to have the same oids.
      try database.run(
        """
        UPDATE admin.merge_progress SET source = regexp_replace(source, '[0-9]+$', '1');
        UPDATE admin.merge_errors SET staging_source = regexp_replace(staging_source, '[0-9]+$', '1')
        """
      )
      #expect(try await database.call("errors", "list").output == "No refused rows.\n")
      #expect(try await database.call("status", "--json").json()["tables"].table("t")["pending"].integer == 10)
      #expect(try database.count("SELECT pending_records FROM admin.oracle_pg_migration_status") == 10)
      let plan = try await database.call("plan", "--json")
      #expect(plan.output.contains("can't be told apart from new ones"))
      let report = try await database.merge()
      #expect((report.totals.read, report.totals.errors, report.standingErrors) == (10, 2, 0))
    }
  }

  @Test func `what an earlier version has noted without a server is this one's`() async throws {
    try await Self.withRefusedRows { database in
      try database.run(
        """
        UPDATE admin.merge_progress SET source = regexp_replace(source, ' [0-9]+$', '');
        UPDATE admin.merge_errors SET staging_source = regexp_replace(staging_source, ' [0-9]+$', '')
        """
      )
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.count == 2)
      #expect(
        try database.rows("SELECT pending_records, error_records FROM admin.oracle_pg_migration_status") == ["(0,2)"]
      )
      let report = try await database.merge()
      #expect((report.totals.read, report.standingErrors) == (0, 2))
    }
  }

  @Test func `rows of a staging table that was dropped stand no more`() async throws {
    try await Self.withRefusedRows { database in
      // Where the server lacks libxml the view depends on it.
      try database.run("DROP TABLE staging.t CASCADE")
      #expect(try await database.call("errors", "list").output == "No refused rows.\n")
    }
  }

  @Test func `rows that may not be looked at count as there`() async throws {
    try await Self.withRefusedRows { database in
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
