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

  @Test func `nothing is extra while staging is empty`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5")
      try database.run("TRUNCATE staging.t")
      let report = try await database.verify { window(&$0) }
      #expect(report.status == .nothingCompared)
      #expect(report.tables[0].extra.note?.contains("staging.t is empty") == true)
    }
  }

  @Test func `a row that is gone at the second look is not extra`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5, 700")
      let pause = HeldPause()
      let verify = database.verifying(pause: pause) { window(&$0) }
      try await pause.begin()
      try database.run("DELETE FROM production.t WHERE k = 5")
      pause.end()
      #expect(try await verify.value.tables[0].extra.sampleKeys == [["k": "700"]])
    }
  }

  @Test func `a zone or a null rule that is not the last run's is told`() async throws {
    try await TestDatabase.with { database in
      try fill(database, missing: "5")
      try await database.merge {
        $0.timeZone = "Europe/Berlin"
        $0.nulls = .strict
      }
      let report = try await database.verify()
      let told = report.findings.filter { $0.kind == .otherOptions }.map(\.message)
      #expect(told.count == 2)
      #expect(told.first?.contains("--time-zone Europe/Berlin, and this goes by --time-zone UTC") == true)
      #expect(told.last?.contains("--nulls strict, and this goes by --nulls production-loses") == true)
      let same = try await database.verify {
        $0.merge.timeZone = "Europe/Berlin"
        $0.merge.nulls = .strict
      }
      #expect(!same.findings.contains { $0.kind == .otherOptions })
    }
  }
}
