import TestSupport
import Testing

/// Keys that are equal by production's collation alone: staging as DMS makes it has none of its own.
@Suite struct RollbackCollationTests {
  private func fill(_ production: TestDatabase, _ staging: TestDatabase) throws {
    try production.run(
      """
      CREATE SCHEMA production;
      CREATE TABLE production.t (id text COLLATE public.caseless PRIMARY KEY, v text, updated_at timestamp);
      INSERT INTO production.t VALUES ('Abc', 'p', '2020-01-01'), ('b', 'p', '2020-01-01');
      """
    )
    try staging.run(
      """
      CREATE SCHEMA staging; CREATE TABLE staging.t (id text, v text, updated_at timestamp);
      INSERT INTO staging.t VALUES ('ABC', 's', '2021-01-01'), ('b', 's', '2021-01-01'), ('c', 's', '2021-01-01');
      """
    )
  }

  private func mergeRollBackAndMerge(_ production: TestDatabase, _ elsewhere: [String]) async throws {
    let merge = try await production.call("merge", "--before-images", arguments: elsewhere)
    #expect(merge.status == 0, "\(merge.transcript)")
    let why = try await production.call("why", "t", "Abc", "--json", arguments: elsewhere)
    if elsewhere.isEmpty { #expect(try why.json()["staging"].elements.count == 1, "\(why.transcript)") }
    let rollback = try await production.call("rollback", "1", "--json", arguments: elsewhere)
    #expect(rollback.status == 0, "\(rollback.transcript)")
    #expect(try rollback.json()["tables"].table("t")["released"].integer == 3)
    let again = try await production.call("merge", "--json", arguments: elsewhere)
    #expect(try again.json()["totals"]["read"].integer == 3, "\(again.transcript)")
    #expect(try production.rows("SELECT lower(id), v FROM production.t ORDER BY 1") == ["(abc,s)", "(b,s)", "(c,s)"])
  }

  @Test func `their rows are read again after a rollback`() async throws {
    try await TestDatabase.with { database in
      guard try database.makeCaseless() else { return }
      try fill(database, database)
      try await mergeRollBackAndMerge(database, [])
    }
  }

  @Test func `so are those of another database, which does not know the collation`() async throws {
    try await TestDatabase.withPair { production, staging in
      guard try production.makeCaseless() else { return }
      try fill(production, staging)
      try await mergeRollBackAndMerge(production, ["--staging-database", staging.connectionString])
    }
  }
}
