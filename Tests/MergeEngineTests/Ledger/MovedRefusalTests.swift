import MergeEngine
import TestSupport
import Testing

/// A refusal stands wherever its tables and its row lie by now.
@Suite struct MovedRefusalTests {
  /// Before a merge has noted where it is.
  @Test(arguments: [
    "ALTER SCHEMA production RENAME TO attic", "CREATE SCHEMA attic; ALTER TABLE production.t SET SCHEMA attic",
  ])
  func `rows refused for a table that lies in another schema by now are shown and retried`(move: String) async throws {
    try await TestDatabase.withRefusedRows { database in
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

  @Test(arguments: [
    ("ALTER SCHEMA production RENAME TO later", ["--production-schema", "later"]),
    ("ALTER TABLE production.t RENAME TO u; ALTER TABLE staging.t RENAME TO u", []),
  ])
  func `a production table that is renamed keeps them`(statement: String, options: [String]) async throws {
    try await TestDatabase.withRefusedRows { database in
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
    try await TestDatabase.withRefusedRows { database in
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
    try await TestDatabase.withRefusedRows { database in
      try database.run("ALTER SCHEMA staging RENAME TO later")
      let later = ["--staging-schema", "later"]
      #expect(try await database.call(arguments: ["errors", "dismiss", "--reason", "test rows"] + later).status == 0)
      #expect(try await database.call(arguments: ["merge"] + later).status == 0)
      let dismissed = try await database.call(arguments: ["errors", "list", "--dismissed", "--json"] + later)
      #expect(try dismissed.json()["errors"].elements.count == 2, "\(dismissed.transcript)")
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

  @Test func `a refusal stands when staging is rewritten`() async throws {
    try await TestDatabase.withRefusedRows { database in
      try database.run("VACUUM FULL staging.t")
      let report = try await database.merge()
      #expect(report.status == .partial)
      #expect(report.standingErrors == 2)
    }
  }

  @Test func `a row that was rewritten and refused again stands refused once`() async throws {
    try await TestDatabase.withRefusedRows { database in
      let again = try await database.mergeKeepingImages { $0.again = true }
      try await database.rollBack(again.runID)
      try database.run("VACUUM FULL staging.t")
      try database.run("TRUNCATE admin.merge_progress")
      #expect(try await database.merge().totals.errors == 2)
      #expect(try await database.merge().standingErrors == 2)
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.count == 2)
    }
  }

  @Test func `what a dump has brought from another server says nothing of rows here`() async throws {
    try await TestDatabase.withRefusedRows { database in
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
    try await TestDatabase.withRefusedRows { database in
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
    try await TestDatabase.withRefusedRows { database in
      // Where the server lacks libxml the view depends on it.
      try database.run("DROP TABLE staging.t CASCADE")
      #expect(try await database.call("errors", "list").output == "No refused rows.\n")
    }
  }
}
