import MergeEngine
import TestSupport
import Testing

/// A run that was merged with before-images is taken back.
@Suite struct RollbackTests {
  private static let columns = "id int, updated_at int, v text"

  /// Ids 1 to 40 in production, 21 to 60 in staging, which is newer up to 30 and older up to 40.
  private func withTables(
    _ constraints: String = "PRIMARY KEY (id)",
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "\(Self.columns), \(constraints)", staging: Self.columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, 5, 'p' || n FROM generate_series(1, 40) n;
        INSERT INTO staging.t SELECT n, CASE WHEN n <= 30 THEN 9 ELSE 3 END, 's' || n FROM generate_series(21, 60) n;
        """
      )
      try await body(database)
    }
  }

  @Test(arguments: [1, 7, 1000], [1, 3])
  func `puts old rows back, deletes inserted ones, and their staging rows are NEW again`(batch: Int, workers: Int)
    async throws
  {
    try await withTables { database in
      let merge = try await database.mergeKeepingImages {
        $0.batchRows = batch
        $0.workers = workers
      }
      #expect(merge.totals.updated == 10 && merge.totals.inserted == 20)
      #expect(try database.differenceFromBefore() != [])
      let report = try await database.rollBack(merge.runID) { $0.merge.batchRows = batch }
      #expect(report.status == .success, "\(report)")
      #expect(report.restored == 10 && report.deleted == 20 && report.leftAlone == 0)
      #expect(try database.differenceFromBefore() == [])
      // Stale rows had no effect that could be taken back.
      #expect(try database.marked("NEW") == 30 && database.marked("PROCESSED") == 10)
      #expect(report.tables.map(\.released) == [30])
      #expect(try database.runState(merge.runID) == "ROLLED BACK, 0")
      // And the next merge makes of it what the first has made.
      let again = try await database.merge()
      #expect(again.totals.updated == 10 && again.totals.inserted == 20)
    }
  }

  @Test func `rows that anyone has changed or deleted since are left alone, listed, and can be tried again`()
    async throws
  {
    try await withTables { database in
      let merge = try await database.mergeKeepingImages()
      try database.run(
        """
        UPDATE production.t SET v = 'cdc', updated_at = 10 WHERE id IN (22, 45);
        DELETE FROM production.t WHERE id IN (23, 46);
        INSERT INTO production.t VALUES (100, 10, 'cdc');
        UPDATE production.t SET v = v WHERE id = 24;
        """
      )
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .partial)
      #expect(report.restored == 7 && report.deleted == 18 && report.leftAlone == 5)
      #expect(report.tables[0].reasons == ["changed since": 3, "deleted since": 2])
      #expect(
        report.tables[0].left.map { "\($0.key) \($0.reason)" }.sorted() == [
          #"{"id": 22} changed since"#, #"{"id": 23} deleted since"#, #"{"id": 24} changed since"#,
          #"{"id": 45} changed since"#, #"{"id": 46} deleted since"#,
        ]
      )
      #expect(
        try database.difference("TABLE production.t", "TABLE before.t").sorted() == [
          #"(left,"(100,10,cdc)")"#, #"(left,"(22,10,cdc)")"#, #"(left,"(24,9,s24)")"#, #"(left,"(45,10,cdc)")"#,
          #"(right,"(22,5,p22)")"#, #"(right,"(23,5,p23)")"#, #"(right,"(24,5,p24)")"#,
        ]
      )
      #expect(try database.runState(merge.runID) == "ROLLED BACK IN PART, 1")
      // Their staging rows stay merged, and the second try finds the same.
      #expect(try database.marked("NEW") == 25)
      let second = try await database.rollBack(merge.runID)
      #expect(second.restored == 0 && second.deleted == 0 && second.leftAlone == 5)
      // What was left alone can be looked at.
      #expect(try database.count("SELECT count(*) FROM admin.before_\(merge.runID)_t WHERE v IN ('p22', 'p23')") == 2)
    }
  }

  @Test(arguments: [false, true])
  func `of runs that changed the same rows the later one comes first`(inOrder: Bool) async throws {
    try await withTables { database in
      let first = try await database.mergeKeepingImages()
      try database.run(
        """
        CREATE SCHEMA between; CREATE TABLE between.t AS TABLE production.t;
        TRUNCATE staging.t;
        INSERT INTO staging.t SELECT n, 20, 'second' FROM generate_series(25, 50) n;
        """
      )
      let second = try await database.merge { $0.beforeImages = true }
      if inOrder {
        #expect(try await database.rollBack(second.runID).status == .success)
        #expect(try database.difference("TABLE production.t", "TABLE between.t") == [])
        let report = try await database.rollBack(first.runID)
        #expect(report.status == .success)
        #expect(report.restored == 10 && report.deleted == 20)
        #expect(try database.differenceFromBefore() == [])
      } else {
        let report = try await database.rollBack(first.runID)
        #expect(report.tables[0].reasons == ["changed since": 16])
        #expect(report.restored == 4 && report.deleted == 10)
        // Afterwards the second one can still be taken back, and then the rest of the first.
        #expect(try await database.rollBack(second.runID).status == .success)
        #expect(try await database.rollBack(first.runID).status == .success)
        #expect(try database.differenceFromBefore() == [])
      }
    }
  }

  @Test(arguments: [1, 1000], [1, 3])
  func `a row that several batches of the run have written goes back to what it was before all of them`(
    batch: Int,
    workers: Int
  ) async throws {
    try await withTables { database in
      try database.run(
        "INSERT INTO staging.t SELECT n, 10 + k, 's' || k FROM generate_series(25, 65) n, generate_series(1, 5) k"
      )
      let merge = try await database.mergeKeepingImages {
        $0.batchRows = batch
        $0.workers = workers
      }
      let plan = try await database.rollBack(merge.runID) { $0.isDryRun = true }
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success, "\(report)")
      #expect(report.restored == plan.restored && report.deleted == plan.deleted && plan.leftAlone == 0)
      #expect(report.deleted == 25)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  /// Without a status column, a row lies where it lay when it is read again.
  @Test func `of a key that several batches have written each staging row is released once`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(Self.columns), PRIMARY KEY (id));
        CREATE TABLE staging.t (\(Self.columns));
        INSERT INTO production.t VALUES (1, 1, 'p');
        INSERT INTO staging.t SELECT n % 2 + 1, n, 's' || n FROM generate_series(2, 7) n;
        """
      )
      let merge = try await database.mergeKeepingImages {
        $0.batchRows = 1
        $0.workers = 1
      }
      #expect(merge.totals.updated == 5 && merge.totals.inserted == 1)
      let report = try await database.rollBack(merge.runID)
      #expect(report.restored == 5 && report.deleted == 1)
      #expect(report.tables.map(\.released) == [6])
      #expect(try database.count("SELECT sum(cardinality(reopened)) FROM admin.merge_progress") == 6)
      #expect(try database.differenceFromBefore() == [])
      #expect(try await database.merge().totals.read == 6)
    }
  }

  @Test func `what CDC has written between two batches is kept when both are taken back`() async throws {
    try await withTables { database in
      try database.run("TRUNCATE staging.t; INSERT INTO staging.t VALUES (50, 6, 'first'), (1, 6, 'first')")
      let merge = try await database.mergeKeepingImages()
      try database.run("UPDATE production.t SET v = 'cdc', updated_at = 7 WHERE id IN (1, 50)")
      // The same run goes on: its images stand in the same table.
      try database.run("UPDATE staging.t SET updated_at = 8, v = 'second', _dms_processing_status = 'NEW'")
      _ = try await database.merge {
        $0.beforeImages = true
        $0.continuedRunID = merge.runID
      }
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'second'") == 2)
      let report = try await database.rollBack(merge.runID)
      #expect(
        try database.rows("SELECT * FROM production.t WHERE id IN (1, 50) ORDER BY id") == ["(1,7,cdc)", "(50,7,cdc)"]
      )
      #expect(report.restored == 2 && report.tables[0].reasons == ["changed since": 2])
    }
  }

  @Test func `a run that goes on goes on keeping images, and one that has merged without them can't begin to`()
    async throws
  {
    try await withTables { database in
      let with = try await database.mergeKeepingImages { $0.to = "5" }
      let without = try await database.merge { $0.from = "9" }
      try database.run("INSERT INTO staging.t SELECT n, 30, 'late' FROM generate_series(35, 70) n")
      await #expect(throws: MergeFailure.self) {
        try await database.merge {
          $0.beforeImages = true
          $0.continuedRunID = without.runID
        }
      }
      #expect(try database.runState(without.runID) == "SUCCESS, 0")
      #expect(try database.marked("NEW") == 36)
      try database.keepCopies()
      try await database.merge { $0.continuedRunID = with.runID }
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'late'") == 36)
      let report = try await database.rollBack(with.runID)
      #expect(report.status == .success)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE id > 40 OR v = 'late'") == 0)
    }
  }

  @Test(arguments: RandomisedMergeTests.seeds.prefix(20))
  func `gives back random tables as they were`(_ seed: UInt64) async throws {
    let table = RandomTable(seed: seed)
    try await TestDatabase.with { database in
      try database.run(table.setup)
      let merge = try await database.mergeKeepingImages {
        $0.batchRows = table.batchRows
        $0.workers = table.workers
        $0.nulls = table.nulls
      }
      let plan = try await database.rollBack(merge.runID) { $0.isDryRun = true }
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success, "\(table): \(report)")
      #expect(plan.restored == report.restored && plan.deleted == report.deleted, "\(table)")
      #expect(report.restored == merge.totals.updated && report.deleted == merge.totals.inserted, "\(table)")
      #expect(try database.differenceFromBefore() == [], "\(table)")
    }
  }
}
