import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// Rows of a run that refer to each other around a circle: none of them can be deleted before the others.
@Suite struct CircleTests {
  private static let columns = "id int, updated_at int, boss int, deputy int"

  /// 1 is there; the run inserts the circles 2, 3, 4 and 5, 6, row 7 that refers to the first, and 8 that it refers to.
  private func withCircles(_ action: String = "NO ACTION", _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: """
          \(Self.columns), PRIMARY KEY (id), FOREIGN KEY (boss) REFERENCES production.t ON DELETE \(action),
          FOREIGN KEY (deputy) REFERENCES production.t ON DELETE \(action)
          """,
        staging: Self.columns
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, NULL, NULL);
        INSERT INTO staging.t VALUES (2, 2, 3, NULL), (3, 2, 4, 8), (4, 2, 2, 1), (5, 2, 6, NULL), (6, 2, 5, NULL), (7, 2, 2, NULL),
          (8, 2, 1, NULL);
        """
      )
      try await body(database)
    }
  }

  private func keys(_ report: RollbackReport, _ table: Int = 0) -> [String] {
    report.tables[table].left.map { "\($0.key) \($0.reason)" }
  }

  /// The plan, and the rollback after it, which come to the same.
  private func rollBackAsPlanned(_ database: TestDatabase, _ runID: Int, batch: Int = 1000) async throws
    -> RollbackReport
  {
    let plan = try await database.rollBack(runID) { $0.isDryRun = true }
    let report = try await database.rollBack(runID) { $0.merge.batchRows = batch }
    #expect(plan.status == report.status)
    for (planned, done) in zip(plan.tables, report.tables) {
      #expect(planned.restored == done.restored && planned.deleted == done.deleted, "\(planned), \(done)")
      #expect(planned.reasons == done.reasons)
      #expect(planned.left.map { "\($0.key) \($0.reason)" } == done.left.map { "\($0.key) \($0.reason)" })
    }
    return report
  }

  @Test(arguments: [1, 2, 1000], ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"])
  func `rows of a circle go at once, those that refer to it before and those that it refers to after`(
    batch: Int,
    action: String
  ) async throws {
    try await withCircles(action) { database in
      let merge = try await database.mergeKeepingImages()
      #expect(merge.totals.inserted == 7)
      let report = try await rollBackAsPlanned(database, merge.runID, batch: batch)
      #expect(report.status == .success, "\(report)")
      #expect(report.deleted == 7 && report.tables[0].released == 7)
      #expect(try database.differenceFromBefore() == [])
      #expect(try database.marked("NEW") == 7)
      #expect(try database.runState(merge.runID) == "ROLLED BACK, 0")
      #expect(try await database.merge().totals.inserted == 7)
    }
  }

  @Test(arguments: ["NO ACTION", "CASCADE"])
  func `a circle that a later row refers to stays as a whole, with what it refers to`(_ action: String) async throws {
    try await withCircles(action) { database in
      let merge = try await database.mergeKeepingImages()
      try database.run("INSERT INTO production.t VALUES (100, 9, 3, NULL)")
      let report = try await rollBackAsPlanned(database, merge.runID)
      #expect(report.status == .partial)
      // Neither 5 and 6, nor 7.
      #expect(
        keys(report) == [2, 3, 4, 8].map { "{\"id\": \($0)} referred to by production.t" }
      )
      #expect(try database.rows("SELECT id, boss FROM production.t WHERE id = 100") == ["(100,3)"])
      try database.run("DELETE FROM production.t WHERE id = 100")
      #expect(try await rollBackAsPlanned(database, merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `a circle with a row that CDC has changed stays as a whole`() async throws {
    try await withCircles("CASCADE") { database in
      let merge = try await database.mergeKeepingImages()
      try database.run("UPDATE production.t SET updated_at = 9 WHERE id = 3")
      let report = try await rollBackAsPlanned(database, merge.runID)
      #expect(
        keys(report) == [
          #"{"id": 2} referred to by production.t"#, #"{"id": 3} changed since"#,
          #"{"id": 4} referred to by production.t"#, #"{"id": 8} referred to by production.t"#,
        ]
      )
      #expect(try database.count("SELECT count(*) FROM production.t WHERE id IN (1, 2, 3, 4, 8)") == 5)
    }
  }

  @Test func `where the server refuses one row of a circle, its words stand beside all of them, and other circles go`()
    async throws
  {
    try await withCircles { database in
      let merge = try await database.mergeKeepingImages()
      try database.run(
        """
        CREATE FUNCTION production.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF old.id = 3 THEN RAISE 'not this one'; END IF; RETURN old; END $$;
        CREATE TRIGGER refuse BEFORE DELETE ON production.t FOR EACH ROW EXECUTE FUNCTION production.refuse();
        """
      )
      let report = try await database.rollBack(merge.runID)
      #expect(report.deleted == 3)
      #expect(report.tables[0].reasons == ["refused by the server": 3, "referred to by production.t": 1])
      #expect(
        keys(report) == [2, 3, 4].map { "{\"id\": \($0)} refused by the server: not this one (SQLSTATE P0001)" }
          + [#"{"id": 8} referred to by production.t"#]
      )
      try database.run("DROP TRIGGER refuse ON production.t")
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  struct Lead: Sendable, CustomTestStringConvertible {
    let action: String
    var isDeferrable = true

    var testDescription: String { "ON DELETE \(action)\(isDeferrable ? ", deferrable" : "")" }
  }

  @Test(
    arguments: [1, 1000],
    [
      Lead(action: "NO ACTION"), Lead(action: "CASCADE"), Lead(action: "SET NULL"),
      Lead(action: "NO ACTION", isDeferrable: false),
      Lead(action: "SET NULL", isDeferrable: false),
    ]
  )
  func `circles over several tables go, whatever their foreign keys do and whether they can be deferred`(
    batch: Int,
    _ lead: Lead
  ) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        "crew",
        production: "id int PRIMARY KEY, updated_at int, lead int",
        staging: "id int, updated_at int, lead int"
      )
      try database.makePair(
        "person",
        production: "id int PRIMARY KEY, updated_at int, crew int REFERENCES production.crew",
        staging: "id int, updated_at int, crew int"
      )
      try database.run(
        """
        ALTER TABLE production.crew ADD CONSTRAINT lead FOREIGN KEY (lead) REFERENCES production.person ON DELETE \(lead.action)
          DEFERRABLE INITIALLY DEFERRED;
        INSERT INTO staging.crew SELECT n, 2, n * 10 FROM generate_series(1, 20) n;
        INSERT INTO staging.person SELECT n, 2, n / 10 FROM generate_series(10, 209) n;
        """
      )
      let merge = try await database.mergeKeepingImages { $0.atomic = true }
      #expect(merge.totals.inserted == 220)
      if !lead.isDeferrable { try database.run("ALTER TABLE production.crew ALTER CONSTRAINT lead NOT DEFERRABLE") }
      try database.run("INSERT INTO production.person VALUES (1000, 9, 7)")
      let report = try await rollBackAsPlanned(database, merge.runID, batch: batch)
      #expect(report.deleted == 218 && report.leftAlone == 2)
      let left = report.tables.indices.flatMap { keys(report, $0) }.sorted()
      #expect(left == [#"{"id": 70} referred to by production.crew"#, #"{"id": 7} referred to by production.person"#])
      try database.run("DELETE FROM production.person WHERE id = 1000")
      #expect(try await rollBackAsPlanned(database, merge.runID, batch: batch).status == .success)
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test func `a chain whose last row is referred to stays, in the plan too`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, boss int"
      try database.makePair(
        production: "\(columns), PRIMARY KEY (id), FOREIGN KEY (boss) REFERENCES production.t",
        staging: columns
      )
      try database.run(
        """
        INSERT INTO production.t VALUES (1, 1, NULL);
        INSERT INTO staging.t SELECT n, 2, n - 1 FROM generate_series(2, 9) n;
        """
      )
      let merge = try await database.mergeKeepingImages()
      try database.run("INSERT INTO production.t VALUES (100, 9, 5)")
      let report = try await rollBackAsPlanned(database, merge.runID)
      #expect(keys(report) == (2...5).map { "{\"id\": \($0)} referred to by production.t" })
    }
  }

  /// Two tables, of which one refers to the other.
  private func makeParentAndChild(_ database: TestDatabase) throws {
    try database.makePair("parent", production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
    try database.makePair(
      "child",
      production: "id int PRIMARY KEY, updated_at int, parent int REFERENCES production.parent",
      staging: "id int, updated_at int, parent int"
    )
  }

  @Test func `a row that the run has written twice goes before what it refers to, in the plan too`() async throws {
    try await TestDatabase.with { database in
      try makeParentAndChild(database)
      try database.run(
        """
        INSERT INTO staging.parent SELECT n, 1 FROM generate_series(1, 3) n;
        INSERT INTO staging.child SELECT n, version, n FROM generate_series(1, 3) n, generate_series(1, 2) version;
        """
      )
      let merge = try await database.mergeKeepingImages { $0.batchRows = 1 }
      #expect(merge.totals.updated == 3)
      // By a row that it has written twice, too, which then goes back to what it was first.
      try database.run(
        "CREATE TABLE public.note (child int REFERENCES production.child); INSERT INTO public.note VALUES (2)"
      )
      let report = try await rollBackAsPlanned(database, merge.runID)
      #expect(report.restored == 3 && report.deleted == 4)
      #expect(keys(report, 0) == [#"{"id": 2} referred to by public.note"#])
      #expect(keys(report, 1) == [#"{"id": 2} referred to by production.child"#])
    }
  }

  @Test func `a row that the run has updated twice goes back to what referred to nothing, in the plan too`()
    async throws
  {
    try await TestDatabase.with { database in
      try makeParentAndChild(database)
      try database.run(
        """
        INSERT INTO production.parent VALUES (9, 1); INSERT INTO production.child VALUES (1, 0, NULL), (2, 0, 9), (3, 0, NULL);
        INSERT INTO staging.parent SELECT n, 2 FROM generate_series(1, 9) n;
        INSERT INTO staging.child VALUES (1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 1, 2), (2, 2, 9), (3, 1, 3);
        """
      )
      let merge = try await database.mergeKeepingImages { $0.batchRows = 1 }
      // Whoever writes the row again leaves it as it is.
      try database.run("UPDATE production.child SET updated_at = 9 WHERE id = 3")
      let report = try await rollBackAsPlanned(database, merge.runID)
      #expect(report.restored == 6 && report.deleted == 7)
      #expect(keys(report, 0) == [#"{"id": 3} changed since"#])
      #expect(keys(report, 1) == [#"{"id": 3} referred to by production.child"#])
    }
  }

  @Test func `a row that stays goes back to what it was inserted as, and keeps no other one, in the plan too`()
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, ref int REFERENCES production.t, updated_at int"
      try database.makePair(production: columns, staging: "id int, ref int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, NULL, 1), (7, NULL, 1), (7, 1, 2)")
      let merge = try await database.mergeKeepingImages { $0.batchRows = 1 }
      try database.run("CREATE TABLE public.note (t int REFERENCES production.t); INSERT INTO public.note VALUES (7)")
      let report = try await rollBackAsPlanned(database, merge.runID)
      #expect(report.restored == 1 && report.deleted == 1)
      #expect(keys(report) == [#"{"id": 7} referred to by public.note"#])
    }
  }

  @Test func `what has begun to refer to a circle since it was looked at keeps it`() async throws {
    try await withCircles("CASCADE") { database in
      let merge = try await database.mergeKeepingImages()
      let record = RollbackRecord(runID: merge.runID, admin: Identifier("admin"))
      let plan = try RollbackPlan(record, only: nil, schemas: Schemas(), on: database.connection)
      let session = Session(target: database.target, schemas: Schemas(), logger: .silent)
      let connections = try session.connectWorker(role: "test")
      let batch = try RollbackBatch(
        plan.tables[0],
        number: 0,
        record,
        staging: nil,
        others: plan.siblings[0],
        on: connections
      )
      let together = RowsTogether([(number: 0, batch: batch)], on: connections)
      let groups = try together.groups(without: [[]])
      #expect(groups.map(\.count).sorted() == [1, 1, 2, 3])
      try database.run("INSERT INTO production.t VALUES (100, 9, 3, NULL)")
      #expect(try together.undo(groups.flatMap(\.self), besides: [[]])[0]?.deleted == 3)
      #expect(try database.rows("SELECT id FROM production.t ORDER BY id") == [1, 2, 3, 4, 8, 100].map { "(\($0))" })
    }
  }
}
