import MergeEngine
import TestSupport
import Testing

/// Staging's strings are production's, whatever collation they lie under: of two implicit ones the database's default loses.
@Suite struct StagingCollationTests {
  private func make(_ database: TestDatabase, production: String = "") throws -> Bool {
    guard try database.makeCaseless() else { return false }
    try database.run(
      """
      CREATE SCHEMA production; CREATE SCHEMA staging;
      CREATE TABLE production.t (id text \(production) PRIMARY KEY, v text, updated_at int);
      CREATE TABLE staging.t (id text COLLATE public.caseless, v text COLLATE public.caseless, updated_at int);
      """
    )
    return true
  }

  @Test(arguments: [1, 2, 5, 50], ["", "COLLATE \"C\""])
  func `keys are told apart by production's collation`(batchRows: Int, production: String) async throws {
    try await TestDatabase.with { database in
      guard try make(database, production: production) else { return }
      try database.run(
        """
        INSERT INTO production.t VALUES ('a', 0, 2), ('b', 0, 2);
        INSERT INTO staging.t SELECT (ARRAY['a', 'A', 'b', 'B'])[1 + n % 4], n % 4 || '-' || (n * 7) % 5, 1 + (n * 7) % 5
        FROM generate_series(1, 24) AS n;
        """
      )
      let arguments = ["--batch", "\(batchRows)", "--workers", "1", "--json"]
      let plan = try await database.call("plan", arguments: arguments).json()["totals"]
      let merge = try await database.call("merge", arguments: arguments).json()["totals"]
      for count in ["read", "inserted", "updated", "unchanged", "stale", "duplicate", "errors"] {
        #expect(plan[count].integer == merge[count].integer, "\(count)")
      }
      let isStaged = "EXISTS (SELECT FROM staging.t AS s WHERE s.v = p.v AND s.id = p.id COLLATE \"C\")"
      #expect(try database.count("SELECT count(*) FROM production.t AS p WHERE \(isStaged)") == 4)
      #expect(try await database.call("verify", "--recheck-after", "0").status == 0)
      try database.run("DELETE FROM production.t")
      let verify = try await database.call("verify", "--recheck-after", "0", "--json")
      #expect(try verify.json()["tables"].elements[0]["missing"].integer == 4, "\(verify.transcript)")
    }
  }

  @Test(arguments: [false, true])
  func `values are compared as production compares them`(throughMerge: Bool) async throws {
    try await TestDatabase.with { database in
      guard try make(database) else { return }
      try database.run(
        "INSERT INTO staging.t VALUES ('k', 'New', 1); INSERT INTO production.t VALUES ('k', 'NEW', 1), ('K', 'other', 1)"
      )
      if throughMerge {
        let merge = try await database.merge { $0.ties = .compare }
        #expect(merge.totals.updated == 1, "\(merge.totals)")
        #expect(try database.rows("SELECT id, v FROM production.t ORDER BY v") == ["(k,New)", "(K,other)"])
      } else {
        let verify = try await database.call("verify", "--recheck-after", "0", "--json")
        #expect(try verify.json()["tables"].elements[0]["differing"].integer == 1, "\(verify.transcript)")
      }
    }
  }
}
