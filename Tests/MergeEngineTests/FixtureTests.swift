import MergeEngine
import TestSupport
import Testing

/// The cases of `Fixtures/guide`.
@Suite struct FixtureTests {
  @Test func `there are fixtures`() {
    #expect(MergeFixture.all.count >= 8)
  }

  @Test(arguments: MergeFixture.all)
  func `one batch gives the counts, production and marks of the fixture`(_ fixture: MergeFixture) async throws {
    try await TestDatabase.with { database in
      try fixture.load(into: database)
      let report = try await database.merge { fixture.change(&$0) }
      // Rows that were marked ERROR before stand refused.
      #expect(report.status == (report.standingErrors > 0 ? .partial : .success))
      #expect(try fixture.differences(database) == [])
      for table in report.tables {
        #expect(fixture.counts(of: table.counts) == fixture.expectedCounts(of: table.table), "\(table.table)")
      }
    }
  }

  @Test(arguments: MergeFixture.all, [(batch: 1, workers: 1), (batch: 1, workers: 3), (batch: 7, workers: 2)])
  func `batches and workers change nothing`(
    _ fixture: MergeFixture,
    _ grid: (batch: Int, workers: Int)
  ) async throws {
    try await TestDatabase.with { database in
      try fixture.load(into: database)
      let report = try await database.merge {
        fixture.change(&$0)
        $0.batchRows = grid.batch
        $0.workers = grid.workers
      }
      if fixture.name == "newer-wins" { #expect(report.totals.batches > report.tables.count) }
      #expect(try fixture.differences(database) == [])
    }
  }

  @Test(arguments: MergeFixture.all)
  func `everything in one transaction gives the same`(_ fixture: MergeFixture) async throws {
    try await TestDatabase.with { database in
      try fixture.load(into: database)
      let report = try await database.merge {
        fixture.change(&$0)
        $0.atomic = true
        $0.batchRows = 3
      }
      #expect(report.status == (report.standingErrors > 0 ? .partial : .success))
      #expect(try fixture.differences(database) == [])
    }
  }

  @Test(arguments: MergeFixture.all)
  func `a second merge writes nothing`(_ fixture: MergeFixture) async throws {
    try await TestDatabase.with { database in
      try fixture.load(into: database)
      try await database.merge { fixture.change(&$0) }
      let second = try await database.merge { fixture.change(&$0) }
      #expect(second.totals.inserted + second.totals.updated == 0)
      #expect(second.totals.read == 0)
      #expect(try fixture.differences(database) == [])
    }
  }
}

extension MergeFixture {
  fileprivate func change(_ options: inout MergeOptions) {
    options.nulls = description.options.nulls ?? options.nulls
    options.mark = description.options.mark ?? options.mark
    options.from = description.options.from
    options.to = description.options.to
  }

  fileprivate func expectedCounts(of table: String) -> Description.Counts {
    description.counts[table]
      ?? Description.Counts(read: 0, inserted: 0, updated: 0, unchanged: 0, stale: 0, duplicate: 0)
  }

  fileprivate func counts(of counts: VerdictCounts) -> Description.Counts {
    Description.Counts(
      read: counts.read,
      inserted: counts.inserted,
      updated: counts.updated,
      unchanged: counts.unchanged,
      stale: counts.stale,
      duplicate: counts.duplicate
    )
  }
}
