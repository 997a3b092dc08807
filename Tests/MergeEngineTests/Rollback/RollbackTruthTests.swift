import MergeEngine
import TestSupport
import Testing

/// What a rollback says is so: rows that nobody has merged are left, and what goes on counting as merged is told.
@Suite struct RollbackTruthTests {
  @Test func `rows of a child table that have got the same keys since are nobody's to take back`() async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      try database.run("CREATE TABLE production.child () INHERITS (production.t)")
      let merge = try await database.mergeKeepingImages()
      try database.run("INSERT INTO production.child VALUES (1, 7, 'own'), (15, 7, 'own')")
      let report = try await database.rollBack(merge.runID)
      #expect(report.restored == 10 && report.deleted == 10)
      #expect(try database.rows("TABLE production.child ORDER BY id") == ["(1,7,own)", "(15,7,own)"])
      #expect(try database.count("SELECT count(*) FROM ONLY production.t WHERE v = 'p' AND updated_at = 1") == 10)
    }
  }

  /// Of whichever staging table, where another run has found them in production.
  private func stillMerged(_ staging: String, _ runID: Int) -> String {
    "rows of \(staging) that were found in production.t as run \(runID) had written them still count as merged: "
      + "only merge --again brings back what is taken back of them."
  }

  @Test(arguments: [false, true])
  func `that a repair's rows go on counting as merged is told where a later run has read them`(isMerged: Bool)
    async throws
  {
    try await TestDatabase.with { database in
      try database.fillPair()
      try database.keepCopies()
      let file = DifferencesFile()
      try await database.verify(into: file) { $0.mark = MergeOptions.Mark.none }
      let repair = try await database.repair(file)
      #expect(repair.inserted == 10 && repair.updated == 10)
      let runID = try #require(repair.runID)
      if isMerged { #expect(try await database.merge().totals.unchanged == 20) }
      for isDryRun in [true, false] {
        let report = try await database.rollBack(runID) { $0.isDryRun = isDryRun }
        #expect(report.restored == 10 && report.deleted == 10)
        #expect(report.warnings == (isMerged ? [stillMerged("staging.t", runID)] : []))
      }
      #expect(try database.differenceFromBefore() == [])
      #expect(try await database.merge().totals.read == (isMerged ? 0 : 20))
      if isMerged { #expect(try await database.merge { $0.again = true }.totals.inserted == 10) }
    }
  }

  @Test(arguments: [false, true])
  func `that another staging table's rows go on counting as merged is told while it holds any`(isEmptied: Bool)
    async throws
  {
    try await TestDatabase.with { database in
      try database.fillPair()
      try database.run(
        "CREATE SCHEMA other; CREATE TABLE other.t (LIKE staging.t INCLUDING ALL); INSERT INTO other.t SELECT * FROM staging.t"
      )
      let first = try await database.mergeKeepingImages()
      #expect(try await database.merge { $0.schemas.staging = "other" }.totals.unchanged == 20)
      if isEmptied { try database.run("TRUNCATE other.t") }
      for isDryRun in [true, false] {
        let report = try await database.rollBack(first.runID) { $0.isDryRun = isDryRun }
        #expect(report.warnings == (isEmptied ? [] : [stillMerged("other.t", first.runID)]))
        #expect(report.tables.map(\.released) == [isDryRun ? 0 : 20])
      }
      #expect(try await database.merge().totals.inserted == 10)
    }
  }

  @Test(arguments: [("timestamptz", "timestamp"), ("timestamp", "timestamptz")])
  func `staging rows are found by keys in the zone that the run has read them in`(production: String, staging: String)
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id \(production) PRIMARY KEY, updated_at int",
        staging: "id \(staging), updated_at int"
      )
      try database.run(
        "INSERT INTO staging.t SELECT '2025-06-01 10:00'::timestamp + n * interval '1 hour', 1 FROM generate_series(1, 5) n"
      )
      let zone = "America/New_York"
      let merge = try await database.mergeKeepingImages { $0.timeZone = zone }
      let report = try await database.rollBack(merge.runID)
      #expect(report.tables.map(\.released) == [5])
      #expect(report.warnings == [])
      #expect(try await database.merge { $0.timeZone = zone }.totals.inserted == 5)
    }
  }

  @Test(arguments: ["UPDATE", "DELETE"])
  func `a rule that rewrites its statements is said before anything is taken back`(command: String) async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      let merge = try await database.mergeKeepingImages()
      try database.run("CREATE RULE kept AS ON \(command) TO production.t DO INSTEAD NOTHING")
      for plan in [["--plan"], []] {
        let outcome = try await database.call("rollback", "\(merge.runID)", arguments: plan)
        #expect(outcome.status == 73, "\(outcome.everything)")
        #expect(outcome.errors.contains("the rule kept rewrites every \(command) on production.t"))
      }
      try database.run("DROP RULE kept ON production.t")
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `what a foreign key has made of other rows is told before and after`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, k int UNIQUE, updated_at int",
        staging: "id int, k int, updated_at int"
      )
      try database.run(
        """
        CREATE TABLE production.c (id int PRIMARY KEY, k int REFERENCES production.t (k) ON UPDATE SET NULL);
        INSERT INTO production.t VALUES (1, 10, 1); INSERT INTO production.c VALUES (1, 10); INSERT INTO staging.t VALUES (1, 20, 2);
        """
      )
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command, "--before-images", "--table", "t")
        #expect(outcome.status == 0, "\(outcome.transcript)")
        let text = (outcome.output + outcome.errors).replacing(/\s+/, with: " ")
        #expect(
          text.contains("where k of a row is updated, rows of production.c that refer to it lose that"),
          "\(text)"
        )
      }
      let outcome = try await database.call("rollback", "1")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(
        (outcome.output + outcome.errors).replacing(/\s+/, with: " ")
          .contains("ON UPDATE SET NULL or SET DEFAULT made of production.c is not rolled back"),
        "\(outcome.transcript)"
      )
      #expect(try database.rows("SELECT k FROM production.t") == ["(10)"])
    }
  }

  @Test func `a rule that would keep a rollback from deleting stands against images`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run(
        "CREATE RULE kept AS ON DELETE TO production.t DO INSTEAD NOTHING; INSERT INTO staging.t VALUES (1, 1)"
      )
      let outcome = try await database.call("merge", "--before-images")
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains("the rule kept rewrites every DELETE"))
      #expect(try await database.call("merge").status == 0)
    }
  }

  @Test func `another admin schema, which hears nothing of a rollback, is named`() async throws {
    try await TestDatabase.with { database in
      try database.fillPair()
      #expect(try await database.call("--before-images").status == 0)
      #expect(try await database.call("--admin-schema", "second").status == 0)
      for plan in [["--plan"], []] {
        let rollback = try await database.call("rollback", "1", arguments: plan)
        #expect(rollback.status == 0, "\(rollback.transcript)")
        let words = rollback.errors.replacing(/\s+/, with: " ")
        #expect(
          words.contains("runs with --admin-schema second have merged into production.t, too"),
          "\(rollback.transcript)"
        )
      }
      #expect(try await database.call("--again", "--admin-schema", "second").status == 0)
      #expect(try database.rows("SELECT count(*) FROM production.t WHERE v = 's'") == ["(20)"])
    }
  }
}
