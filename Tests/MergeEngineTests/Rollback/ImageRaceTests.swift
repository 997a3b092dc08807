import MergeEngine
import TestSupport
import Testing

/// CDC writes while images are made: what is kept is what is overwritten, on every way a batch can take.
@Suite struct ImageRaceTests {
  @Test(arguments: RaceTests.races, [false, true])
  func `a rollback gives back what CDC wrote between the probe and the write`(_ race: RaceTests.Race, isAtomic: Bool)
    async throws
  {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, 10) n")
      if race.event == "UPDATE" {
        try database.run("INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 10) n")
      }
      try database.writeConcurrently(on: race.event, race.write)
      let merge = try await database.mergeKeepingImages { $0.atomic = isAtomic }
      #expect(merge.status == .success, "\(merge.failures)")
      let report = try await database.rollBack(merge.runID)
      #expect(report.status == .success, "\(report)")
      // What it would be if only CDC had been there.
      try database.run(race.write.replacing("production.t", with: "before.t"))
      #expect(try database.differenceFromBefore() == [])
    }
  }

  @Test(arguments: [false, true])
  func `a row that CDC makes older behind the lock is left for the next run, not overwritten without an image`(
    isAtomic: Bool
  ) async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 10) n;
        INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, 10) n;
        """
      )
      // At the first row that is overwritten, another one, as new as staging's, becomes old.
      try database.writeConcurrently(
        on: "UPDATE",
        "UPDATE production.t SET updated_at = 7 WHERE id = 5; UPDATE production.t SET updated_at = 0, v = 'old' WHERE id = 5"
      )
      let merge = try await database.mergeKeepingImages { $0.atomic = isAtomic }
      let images = try database.count("SELECT count(*) FROM admin.before_\(merge.runID)_t")
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 's'") == images)
      #expect(merge.totals.updated == images)
      #expect(try await database.rollBack(merge.runID).status == .success)
      #expect(
        try database.rows("SELECT * FROM production.t WHERE v <> 'p' OR updated_at <> 1") == ["(5,0,old)"]
      )
    }
  }

  @Test func `a row that is locked is waited for, and taken back if its holder leaves it alone`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 10) n;
        INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, 20) n;
        """
      )
      let merge = try await database.mergeKeepingImages()
      let other = try database.connect()
      try other.run(
        "BEGIN; SELECT FROM production.t WHERE id IN (3, 13) FOR UPDATE; UPDATE production.t SET v = 'cdc' WHERE id = 4"
      )
      let rollback = database.startRollback(merge.runID)
      try await database.waitForBlockedWorker()
      try other.run("COMMIT")
      let report = try await rollback.value
      #expect(report.tables[0].left.map(\.key) == [#"{"id": 4}"#])
      #expect(report.restored == 9 && report.deleted == 10)
      #expect(try database.differenceFromBefore() == [#"(left,"(4,5,cdc)")"#, #"(right,"(4,1,p)")"#])
    }
  }
}
