import MergeEngine
import TestSupport
import Testing

/// Staging in another database than production.
@Suite struct SplitDatabaseTests {
  @Test func `plan, merge and verify agree across two databases`() async throws {
    try await TestDatabase.with { production in
      // On a server of its own turn: a second database would wait for the first one's place.
      let name = try #require(try production.value("SELECT current_database()"))
      try production.run("CREATE DATABASE \(name)_staging")
      let staging = try TestDatabase(
        connectionString: production.connectionString.replacing(name, with: name + "_staging")
      )
      try production.run("CREATE TYPE mood AS ENUM ('a', 'b'); CREATE SCHEMA production")
      try production.run(
        "CREATE TABLE production.t (k int PRIMARY KEY, m public.mood, n numeric CONSTRAINT counted CHECK (n > 0), updated_at int)"
      )
      try production.run("INSERT INTO production.t VALUES (1, 'a', 1.0, 1), (2, 'a', 1, 1), (3, 'a', 1, 5)")
      try staging.run("CREATE SCHEMA staging")
      try staging.run(
        "CREATE TABLE staging.t (k int, m text, n numeric, updated_at int, _dms_processing_status text DEFAULT 'NEW')"
      )
      try staging.run(
        """
        INSERT INTO staging.t VALUES (1, 'a', 1.00, 1), (2, 'b', 1, 1), (3, 'a', 1, 4), (4, 'a', 1, 1), (4, 'b', 1, 2),
                                     (5, 'b', 1, 1), (6, 'b', -1, 1)
        """
      )
      var options = MergeOptions()
      options.workers = 1
      options.ties = .compare
      let dryRun = DryRun(target: production.target, stagingTarget: staging.target, options: options, logger: .silent)
      let merge = MergeRun(target: production.target, stagingTarget: staging.target, options: options, logger: .silent)
      let plan = try await onItsOwnThread { try dryRun.run() }
      let report = try await onItsOwnThread { try merge.run() }
      #expect(plan.totals == report.totals)
      // Production is asked about its constraints with the values of the other database.
      #expect(
        plan.findings.map(\.message).contains("1 row breaking the check counted of production.t would be quarantined.")
      )
      #expect(report.totals.errors == 1)
      #expect(report.totals.updated == 1)
      #expect(report.totals.inserted == 2)

      var verifyOptions = VerifyOptions()
      verifyOptions.recheckAfterSeconds = 0
      let verification = Verification(
        target: production.target,
        stagingTarget: staging.target,
        options: verifyOptions,
        logger: .silent
      )
      let isRight = try await onItsOwnThread { try verification.run() }
      #expect(isRight.status == .partial)
      #expect(isRight.standingErrors == 1)
      #expect(isRight.tables[0].extra.note?.contains("another database") == true)
      try production.run("UPDATE production.t SET m = 'a' WHERE k = 5")
      let isWrong = try await onItsOwnThread { try verification.run() }
      #expect(isWrong.tables[0].columns.map(\.sampleKeys) == [[["k": "5"]]])
      try production.run("DROP DATABASE \(name)_staging WITH (FORCE)")
    }
  }
}
