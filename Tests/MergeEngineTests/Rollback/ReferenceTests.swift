import MergeEngine
import TestSupport
import Testing

/// Rows that refer to rows which a rollback would delete.
@Suite struct ReferenceTests {
  /// Parents 1 to 5 are there, 6 to 10 come by the run; each parent has a child of the same id.
  private func withFamily(_ action: String, _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        "parent",
        production: "id int PRIMARY KEY, updated_at int, v text",
        staging: "id int, updated_at int, v text"
      )
      try database.makePair(
        "child",
        production: """
          id int PRIMARY KEY, updated_at int, parent int DEFAULT 1 REFERENCES production.parent ON DELETE \(action)
          """,
        staging: "id int, updated_at int, parent int"
      )
      try database.run(
        """
        INSERT INTO production.parent SELECT n, 1, 'p' FROM generate_series(1, 5) n;
        INSERT INTO production.child SELECT n, 1, n FROM generate_series(1, 5) n;
        INSERT INTO staging.parent SELECT n, 2, 's' FROM generate_series(1, 10) n;
        INSERT INTO staging.child SELECT n, 2, n FROM generate_series(1, 10) n;
        """
      )
      try await body(database)
    }
  }

  private static let actions = ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]

  @Test(arguments: actions)
  func `an inserted row that a later row refers to stays, and the later row stays as it is`(_ action: String)
    async throws
  {
    try await withFamily(action) { database in
      let merge = try await database.mergeKeepingImages()
      try database.run("INSERT INTO production.child VALUES (100, 9, 7)")
      let plan = try await database.rollBack(merge.runID) { $0.isDryRun = true }
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .partial)
      #expect(report.tables.map(\.table) == ["child", "parent"])
      #expect(report.restored == 10 && report.deleted == 9 && report.leftAlone == 1)
      #expect(plan.restored == 10 && plan.deleted == 9 && plan.leftAlone == 1)
      for report in [plan, report] {
        #expect(
          report.tables[1].left.map { "\($0.key) \($0.reason)" } == [#"{"id": 7} referred to by production.child"#]
        )
      }
      #expect(
        try database.differenceFromBefore().sorted() == [#"(left,"(100,9,7)")"#, #"(left,"(7,2,s)")"#]
      )
      // When CDC has taken its row away, so does the next try.
      try database.run("DELETE FROM production.child WHERE id = 100")
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test(arguments: ["CASCADE", "NO ACTION"])
  func `a reference that is being made is waited for`(_ action: String) async throws {
    try await withFamily(action) { database in
      let merge = try await database.mergeKeepingImages()
      let other = try database.connect()
      try other.run("BEGIN; INSERT INTO production.child VALUES (100, 9, 7)")
      let rollback = database.startRollback(merge.runID)
      try await database.waitForBlockedWorker()
      try other.run("COMMIT")
      let report = try await rollback.value
      #expect(report.tables[1].left.map(\.key) == [#"{"id": 7}"#])
      #expect(try database.rows("SELECT * FROM production.child WHERE id = 100") == ["(100,9,7)"])
    }
  }

  @Test func `a row that the run moved to an inserted parent moves back, and the parent goes`() async throws {
    try await withFamily("CASCADE") { database in
      try database.run("UPDATE staging.child SET parent = 10 WHERE id <= 5")
      let merge = try await database.mergeKeepingImages()
      let plan = try await database.rollBack(merge.runID) { $0.isDryRun = true }
      #expect(plan.leftAlone == 0 && plan.deleted == 10 && plan.restored == 10)
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test(arguments: [1, 3, 1000], ["CASCADE", "NO ACTION", "RESTRICT"])
  func `rows that refer to each other in one table go, the last of the chain first`(batch: Int, action: String)
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, boss int"
      try database.makePair(
        production: "\(columns), PRIMARY KEY (id), FOREIGN KEY (boss) REFERENCES production.t ON DELETE \(action)",
        staging: columns
      )
      // 20 is its own boss.
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, NULL);
        INSERT INTO staging.t SELECT n, 2, CASE WHEN n = 20 THEN 20 ELSE n - 1 END FROM generate_series(2, 20) n;
        """
      )
      let merge = try await database.mergeKeepingImages { $0.batchRows = batch }
      #expect(merge.totals.inserted == 19)
      let report = try await database.rollBack(merge.runID) { $0.merge.batchRows = batch }
      #expect(report.status == .success, "\(report)")
      #expect(report.deleted == 19)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `a table outside of the run that refers to inserted rows counts`() async throws {
    try await withFamily("CASCADE") { database in
      try database.run("CREATE TABLE public.note (parent int REFERENCES production.parent (id) ON DELETE CASCADE)")
      let merge = try await database.mergeKeepingImages()
      try database.run("INSERT INTO public.note VALUES (8)")
      let report = try await database.rollBack(merge.runID)
      #expect(report.tables[1].left.map(\.reason) == ["referred to by public.note"])
      #expect(try database.count("SELECT count(*) FROM public.note") == 1)
    }
  }

  @Test func `an old row whose parent is gone since is left alone with the server's reason`() async throws {
    try await withFamily("NO ACTION") { database in
      try database.run("UPDATE staging.child SET parent = 10 WHERE id <= 5")
      let merge = try await database.mergeKeepingImages { $0.tables = ["parent", "child"] }
      try database.run("DELETE FROM production.parent WHERE id = 3")
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .partial)
      let left = report.tables[0].left
      #expect(left.map(\.key) == [#"{"id": 3}"#])
      #expect(left[0].reason.contains("(SQLSTATE 23503)"))
      #expect(report.tables[0].reasons == ["refused by the server": 1])
      #expect(
        try database.rows("SELECT parent FROM production.child WHERE id < 5 ORDER BY id") == [
          "(1)", "(2)", "(10)", "(4)",
        ]
      )
    }
  }
}
