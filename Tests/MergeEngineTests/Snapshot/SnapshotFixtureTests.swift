import MergeEngine
import TestSupport
import Testing

/// The cases of `Fixtures/guide`, merged from staging and from a snapshot of it.
@Suite struct SnapshotFixtureTests {
  @Test(arguments: MergeFixture.all)
  func `a replay gives the counts and the production of the merge, and leaves staging alone`(
    _ fixture: MergeFixture
  ) async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try prepare(fixture, database)
      try await database.save(folder)
      let replay = try await database.replay(folder) { change(&$0, fixture) }
      #expect(replay.status == .success)
      #expect(try database.difference("TABLE before.staging_orders", "TABLE staging.orders") == [])
      try putProductionBack(database)
      let merge = try await database.merge { change(&$0, fixture) }
      for (replayed, merged) in zip(replay.tables, merge.tables) {
        #expect(replayed.table == merged.table)
        #expect(replayed.counts == merged.counts, "\(merged.table)")
      }
      try expectSameProduction(database)
    }
  }

  @Test(arguments: MergeFixture.all, [(batch: 1, workers: 3), (batch: 2, workers: 1), (batch: 5, workers: 2)])
  func `batches and workers change nothing`(
    _ fixture: MergeFixture,
    _ grid: (batch: Int, workers: Int)
  ) async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try prepare(fixture, database)
      try await database.save(folder)
      let replay = try await database.replay(folder) {
        change(&$0, fixture)
        ($0.batchRows, $0.workers) = (grid.batch, grid.workers)
      }
      if fixture.name == "newer-wins" { #expect(replay.totals.batches > replay.tables.count) }
      try putProductionBack(database)
      let merge = try await database.merge { change(&$0, fixture) }
      #expect(replay.totals.read == merge.totals.read)
      try expectSameProduction(database)
    }
  }

  @Test(arguments: MergeFixture.all)
  func `everything in one transaction gives the same`(_ fixture: MergeFixture) async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try prepare(fixture, database)
      try await database.save(folder)
      let replay = try await database.replay(folder) {
        change(&$0, fixture)
        ($0.batchRows, $0.atomic) = (3, true)
      }
      #expect(replay.status == .success)
      try putProductionBack(database)
      let merge = try await database.merge { change(&$0, fixture) }
      #expect(replay.totals.read == merge.totals.read)
      try expectSameProduction(database)
    }
  }

  @Test(arguments: MergeFixture.all)
  func `a second replay reads every row again and changes nothing`(_ fixture: MergeFixture) async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try prepare(fixture, database)
      try await database.save(folder)
      let first = try await database.replay(folder) { change(&$0, fixture) }
      let written = try tuples(database)
      let second = try await database.replay(folder) { change(&$0, fixture) }
      #expect(second.totals.read == first.totals.read)
      #expect(second.totals.inserted + second.totals.updated == 0)
      #expect(try tuples(database) == written)
    }
  }

  /// Production's rows with the transactions that wrote them.
  private func tuples(_ database: TestDatabase) throws -> [String] {
    try ["customers", "orders"].flatMap { try database.rows("SELECT t.xmin, t.* FROM production.\($0) AS t") }
  }

  /// Marks are no part of a replay, so the merge that it is compared with finds none.
  private func prepare(_ fixture: MergeFixture, _ database: TestDatabase) throws {
    try fixture.load(into: database)
    try database.run(
      """
      CREATE SCHEMA before;
      CREATE TABLE before.customers AS TABLE production.customers;
      CREATE TABLE before.orders AS TABLE production.orders;
      CREATE TABLE before.staging_orders AS TABLE staging.orders;
      """
    )
  }

  private func putProductionBack(_ database: TestDatabase) throws {
    try database.run(
      """
      CREATE SCHEMA replayed;
      CREATE TABLE replayed.customers AS TABLE production.customers;
      CREATE TABLE replayed.orders AS TABLE production.orders;
      TRUNCATE production.customers, production.orders;
      INSERT INTO production.customers TABLE before.customers;
      INSERT INTO production.orders TABLE before.orders;
      UPDATE staging.customers SET _dms_processing_status = 'NEW';
      UPDATE staging.orders SET _dms_processing_status = 'NEW';
      """
    )
  }

  private func expectSameProduction(_ database: TestDatabase) throws {
    for table in ["customers", "orders"] {
      #expect(try database.difference("TABLE replayed.\(table)", "TABLE production.\(table)") == [], "\(table)")
    }
  }

  private func change(_ options: inout MergeOptions, _ fixture: MergeFixture) {
    options.nulls = fixture.description.options.nulls ?? options.nulls
    options.from = fixture.description.options.from
    options.to = fixture.description.options.to
  }
}
