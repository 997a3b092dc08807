import MergeEngine
import TestSupport
import Testing

/// Production rows inside the window that staging lacks.
@Suite struct CompletenessTests {
  /// 1,000 rows inside the window and 100 on each side of it; staging lacks `missing` of the inner ones.
  private func fill(_ database: TestDatabase, missing: String) throws {
    let columns = "k int PRIMARY KEY, updated_at timestamp"
    try database.makePair(production: columns, staging: columns)
    try database.run(
      """
      INSERT INTO production.t
      SELECT n, timestamp '2025-01-01' + n * interval '1 minute' FROM generate_series(-100, 1099) n;
      INSERT INTO staging.t SELECT * FROM production.t WHERE k BETWEEN 0 AND 999 AND k NOT IN (\(missing));
      """
    )
  }

  private func window(_ options: inout VerifyOptions) {
    options.merge.from = "2025-01-01"
    options.merge.to = "2025-01-01 16:40"
    options.mark = MergeOptions.Mark.none
  }

  @Test func `extra rows inside the window are told by key, and those outside are not`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5, 700")
      let report = try await database.verify { window(&$0) }
      #expect(report.status == .different)
      let extra = report.tables[0].extra
      #expect(extra.windowCount == 1000)
      #expect(extra.count == 2)
      #expect(extra.deletedCount == 0)
      #expect(extra.sampleKeys == [["k": "5"], ["k": "700"]])
      #expect(try database.value("SELECT count(*) FROM production.t") == "1200")
    }
  }

  @Test func `the window of the last run is the window`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5")
      try await database.merge {
        $0.from = "2025-01-01"
        $0.to = "2025-01-01 16:40"
      }
      #expect(try await database.verify().tables[0].extra.sampleKeys == [["k": "5"]])
      try await database.merge()
      let report = try await database.verify()
      #expect(report.status == .success)
      #expect(report.tables[0].extra.note?.contains("there is no window") == true)
    }
  }

  @Test func `a row whose staging version is outside the window is not extra`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5")
      try database.run("INSERT INTO staging.t VALUES (5, '2026-01-01')")
      let report = try await database.verify { window(&$0) }
      #expect(report.status == .success)
    }
  }

  @Test func `extra rows are deleted when they are few`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5, 700")
      let report = try await database.verify {
        window(&$0)
        $0.extra = .delete
      }
      #expect(report.status == .success)
      #expect(report.tables[0].extra.deletedCount == 2)
      #expect(try database.value("SELECT count(*) FROM production.t WHERE k IN (5, 700)") == "0")
      #expect(try database.value("SELECT count(*) FROM production.t") == "1198")
    }
  }

  @Test func `nothing is deleted when extra rows are more than allowed`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")
      let report = try await database.verify {
        window(&$0)
        $0.extra = .delete
      }
      #expect(report.status == .different)
      #expect(report.tables[0].extra.count == 11)
      #expect(report.tables[0].extra.note?.contains("1.1 %") == true)
      #expect(try database.value("SELECT count(*) FROM production.t") == "1200")
      let allowed = try await database.verify {
        window(&$0)
        $0.extra = .delete
        $0.maxExtraPercent = 1.1
      }
      #expect(allowed.tables[0].extra.deletedCount == 11)
    }
  }

  @Test func `nothing is deleted while staging is empty, whatever is allowed`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5")
      try database.run("TRUNCATE staging.t")
      let report = try await database.verify {
        window(&$0)
        $0.extra = .delete
        $0.maxExtraPercent = 100
      }
      #expect(report.tables[0].extra.note?.contains("staging.t is empty") == true)
      #expect(try database.value("SELECT count(*) FROM production.t") == "1200")
    }
  }

  @Test func `deleting without both ends of a window is refused`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5")
      for (from, to) in [(nil, nil), ("2025-01-01", nil), (nil, "2025-01-02")] as [(String?, String?)] {
        await #expect(throws: MergeFailure.self) {
          _ = try await database.verify {
            $0.merge.from = from
            $0.merge.to = to
            $0.extra = .delete
          }
        }
      }
      #expect(try database.value("SELECT count(*) FROM production.t") == "1200")
    }
  }

  @Test func `children are deleted before the parents they refer to`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.a (k int PRIMARY KEY, updated_at int);
        CREATE TABLE production.b (k int PRIMARY KEY, a int REFERENCES production.a, updated_at int);
        CREATE TABLE staging.a (k int, updated_at int);
        CREATE TABLE staging.b (k int, a int, updated_at int);
        INSERT INTO production.a SELECT n, 1 FROM generate_series(1, 300) n;
        INSERT INTO production.b SELECT n, n, 1 FROM generate_series(1, 300) n;
        INSERT INTO staging.a SELECT * FROM production.a WHERE k > 1;
        INSERT INTO staging.b SELECT * FROM production.b WHERE k > 1;
        """
      )
      let report = try await database.verify {
        $0.merge.from = "0"
        $0.merge.to = "5"
        $0.extra = .delete
      }
      #expect(report.status == .success)
      #expect(report.tables.map(\.extra.deletedCount) == [1, 1])
    }
  }

  @Test func `a row that is gone at the second look is not extra`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5, 700")
      let verify = database.verifying {
        window(&$0)
        $0.recheckAfterSeconds = 3
      }
      try await database.waitForPause()
      try database.run("DELETE FROM production.t WHERE k = 5")
      #expect(try await verify.value.tables[0].extra.sampleKeys == [["k": "700"]])
    }
  }
}
