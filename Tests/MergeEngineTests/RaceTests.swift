import MergeEngine
import TestSupport
import Testing

/// CDC writes to production between the engine's look and its write.
@Suite struct RaceTests {
  struct Race: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let event: String
    let write: String
    /// Row 5 of production afterwards; nil when it is gone.
    let row: String?
    let isLost: Bool
  }

  /// Staging has rows 1 to 10 of version 5. For UPDATE production has them all, of version 1; for INSERT none.
  static let races = [
    Race(
      testDescription: "a newer version",
      event: "UPDATE",
      write: "UPDATE production.t SET updated_at = 9, v = 'cdc' WHERE id = 5",
      row: "(5,9,cdc)",
      isLost: true
    ),
    Race(
      testDescription: "the same version",
      event: "UPDATE",
      write: "UPDATE production.t SET updated_at = 5, v = 'cdc' WHERE id = 5",
      row: "(5,5,cdc)",
      isLost: true
    ),
    Race(
      testDescription: "a version in between",
      event: "UPDATE",
      write: "UPDATE production.t SET updated_at = 3, v = 'cdc' WHERE id = 5",
      row: "(5,5,s)",
      isLost: false
    ),
    Race(
      testDescription: "no version",
      event: "UPDATE",
      write: "UPDATE production.t SET updated_at = NULL, v = 'cdc' WHERE id = 5",
      row: "(5,5,s)",
      isLost: false
    ),
    Race(
      testDescription: "a delete",
      event: "UPDATE",
      write: "DELETE FROM production.t WHERE id = 5",
      row: nil,
      isLost: true
    ),
    Race(
      testDescription: "a delete and a newer insert",
      event: "UPDATE",
      write: "DELETE FROM production.t WHERE id = 5; INSERT INTO production.t VALUES (5, 9, 'cdc')",
      row: "(5,9,cdc)",
      isLost: true
    ),
    Race(
      testDescription: "a newer insert",
      event: "INSERT",
      write: "INSERT INTO production.t VALUES (5, 9, 'cdc')",
      row: "(5,9,cdc)",
      isLost: true
    ),
    Race(
      testDescription: "an insert of the same version",
      event: "INSERT",
      write: "INSERT INTO production.t VALUES (5, 5, 'cdc')",
      row: "(5,5,cdc)",
      isLost: true
    ),
    Race(
      testDescription: "an older insert",
      event: "INSERT",
      write: "INSERT INTO production.t VALUES (5, 3, 'cdc')",
      row: "(5,5,s)",
      isLost: false
    ),
    Race(
      testDescription: "an insert without a version",
      event: "INSERT",
      write: "INSERT INTO production.t VALUES (5, NULL, 'cdc')",
      row: "(5,5,s)",
      isLost: false
    ),
  ]

  private func withTables(_ event: String, _ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, 10) n")
      if event == "UPDATE" {
        try database.run("INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 10) n")
      }
      try await body(database)
    }
  }

  enum Circumstance: CaseIterable {
    case ordinary, atomic
    /// Behind batches in which nothing was to be written, so that the server is left to copy the rows itself.
    case withinServer
  }

  @Test(arguments: races, Circumstance.allCases)
  func `newer wins also when CDC writes between the probe and the write`(
    _ race: Race,
    _ circumstance: Circumstance
  ) async throws {
    try await withTables(race.event) { database in
      if circumstance == .withinServer { try database.putEqualRowsInFront() }
      try database.writeConcurrently(on: race.event, race.write)
      let report = try await database.merge {
        $0.atomic = circumstance == .atomic
        if circumstance == .withinServer {
          $0.workers = 1
          $0.batchRows = 100
        }
      }
      let equalCount = circumstance == .withinServer ? TestDatabase.equalRowCount : 0
      #expect(report.status == .success, "\(report.failures)")
      #expect(try database.rows("SELECT * FROM production.t WHERE id = 5") == [race.row].compactMap(\.self))
      #expect(try database.count("SELECT count(*) FROM production.t WHERE updated_at = 5 AND v = 's' AND id <> 5") == 9)
      // After the race the fast way's batch is looked at again: then a row that CDC has inserted is seen, and is no
      // lost race any more.
      #expect(report.totals.stale + report.totals.unchanged == (race.isLost ? 1 : 0) + equalCount)
      if race.event == "UPDATE" { #expect(report.totals.lostRaces == (race.isLost ? 1 : 0)) }
      #expect(
        try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'")
          == 10 + equalCount
      )
    }
  }

  @Test(arguments: [true, false])
  func `an insert that is not committed yet is waited for`(commits: Bool) async throws {
    try await withTables("INSERT") { database in
      try database.run("BEGIN; INSERT INTO production.t VALUES (5, 9, 'cdc')")
      let observer = try database.connect()
      let merge = observer.start()
      try await observer.waitForBlockedWorker()
      try database.run(commits ? "COMMIT" : "ROLLBACK")
      let report = try await observer.finish(merge)
      #expect(report.totals.inserted == (commits ? 9 : 10))
      #expect(try database.rows("SELECT * FROM production.t WHERE id = 5") == [commits ? "(5,9,cdc)" : "(5,5,s)"])
    }
  }

  @Test(arguments: [true, false])
  func `an update that is not committed yet is waited for`(commits: Bool) async throws {
    try await withTables("UPDATE") { database in
      try database.run("BEGIN; UPDATE production.t SET updated_at = 9, v = 'cdc' WHERE id = 5")
      let observer = try database.connect()
      let merge = observer.start()
      try await observer.waitForBlockedWorker()
      try database.run(commits ? "COMMIT" : "ROLLBACK")
      let report = try await observer.finish(merge)
      #expect(report.totals.updated == (commits ? 9 : 10))
      #expect(report.totals.lostRaces == (commits ? 1 : 0))
      #expect(try database.rows("SELECT * FROM production.t WHERE id = 5") == [commits ? "(5,9,cdc)" : "(5,5,s)"])
    }
  }

  /// The statement that waits does not see the row that has taken the place of the one it waits for.
  @Test(
    arguments: [
      "DELETE FROM production.t WHERE id = 5; INSERT INTO production.t VALUES (5, 3, 'cdc')",
      "UPDATE production.t SET id = -5 WHERE id = 5; INSERT INTO production.t VALUES (5, 3, 'cdc')",
      "UPDATE production.t SET id = -5 WHERE id = 5; UPDATE production.t SET id = 5 WHERE id = 6; UPDATE production.t SET id = 6 WHERE id = -5",
    ],
    [(Circumstance.ordinary, false), (.ordinary, true), (.atomic, false), (.withinServer, false)]
  )
  func `a row that is deleted and inserted again is still older`(
    _ write: String,
    _ way: (Circumstance, keepsImages: Bool)
  )
    async throws
  {
    let (circumstance, keepsImages) = way
    try await withTables("UPDATE") { database in
      if circumstance == .withinServer { try database.putEqualRowsInFront() }
      try database.run("BEGIN; \(write)")
      let observer = try database.connect()
      let merge = observer.start {
        $0.atomic = circumstance == .atomic
        $0.beforeImages = keepsImages
        if circumstance == .withinServer {
          $0.workers = 1
          $0.batchRows = 100
        }
      }
      try await observer.waitForBlockedWorker()
      try database.run("COMMIT")
      let report = try await observer.finish(merge)
      #expect(report.totals.updated == 10 && report.totals.lostRaces == 0, "\(report.totals)")
      #expect(
        try database.count("SELECT count(*) FROM production.t WHERE updated_at = 5 AND v = 's' AND id <= 10") == 10
      )
    }
  }

  struct DenseRace: Sendable {
    let event: String
    let write: String
    /// What is not staging's in the end.
    let rows: [String]
    let lostCount: Int
    let rowCount: Int
  }

  static let denseRaces = [
    DenseRace(
      event: "UPDATE",
      write: """
        UPDATE production.t SET updated_at = 9, v = 'newer' WHERE id IN (101, 999);
        UPDATE production.t SET updated_at = 3, v = 'between' WHERE id = 103;
        DELETE FROM production.t WHERE id = 105
        """,
      rows: ["(101,9,newer)", "(999,9,newer)"],
      lostCount: 3,
      rowCount: 999
    ),
    DenseRace(
      event: "INSERT",
      write:
        "INSERT INTO production.t VALUES (200, 9, 'newer'), (202, 5, 'same'), (204, 3, 'old'), (1000, NULL, 'none')",
      rows: ["(200,9,newer)", "(202,5,same)"],
      lostCount: 2,
      rowCount: 1000
    ),
  ]

  /// A thousand neighbouring integers are not looked up but read as one stretch.
  @Test(arguments: denseRaces)
  func `newer wins in a dense stretch too, whatever CDC does to it between the probe and the write`(_ race: DenseRace)
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      // Every other row is new; the others are of version 1.
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, 1000) n;
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 1000, 2) n;
        """
      )
      try database.writeConcurrently(on: race.event, race.write)
      let report = try await database.merge {
        $0.batchRows = 100_000
        $0.workers = 1
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(
        try database.rows("SELECT * FROM production.t WHERE (updated_at, v) IS DISTINCT FROM (5, 's') ORDER BY id")
          == race.rows
      )
      #expect(try database.count("SELECT count(*) FROM production.t") == race.rowCount)
      #expect(report.totals.stale + report.totals.unchanged == race.lostCount)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == 1000)
    }
  }

  @Test func `workers that meet at the same keys leave the newest`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      // Every key twenty times, spread over all batches.
      try database.run(
        "INSERT INTO staging.t SELECT n % 100, n, repeat('s', 300) FROM generate_series(1, 2000) n ORDER BY hashint4(n)"
      )
      let report = try await database.merge {
        $0.batchRows = 50
        $0.workers = 4
      }
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 2000)
      #expect(
        try database.rows("SELECT count(*), min(updated_at), max(updated_at) FROM production.t") == ["(100,1901,2000)"]
      )
    }
  }
}

extension TestDatabase {
  fileprivate static let equalRowCount = 2000

  /// Begins staging with rows that production has as they are: several batches of 100.
  fileprivate func putEqualRowsInFront() throws {
    try run(
      """
      CREATE TEMPORARY TABLE staged AS TABLE staging.t;
      TRUNCATE staging.t;
      INSERT INTO production.t SELECT 1000 + n, 1, 'equal' FROM generate_series(1, \(Self.equalRowCount)) n;
      INSERT INTO staging.t (id, updated_at, v) SELECT id, updated_at, v FROM production.t WHERE id > 1000;
      INSERT INTO staging.t TABLE staged;
      """
    )
  }
}
