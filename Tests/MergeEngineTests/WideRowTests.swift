import Foundation
import MergeEngine
import TestSupport
import Testing

/// Rows of many columns and of many bytes.
@Suite struct WideRowTests {
  /// 1,600 is what a heap can have (`MaxHeapAttributeNumber`); staging needs one for the status.
  @Test(arguments: [(1, true), (100, false), (1000, true), (1597, false), (1597, true)])
  func `rows of many columns`(_ count: Int, hasBadRow: Bool) async throws {
    try await TestDatabase.with { database in
      let names = (0..<count).map { "c\($0)" }
      let columns = "id int, updated_at int, " + names.map { "\($0) smallint" }.joined(separator: ", ")
      try database.makePair(production: columns + ", PRIMARY KEY (id), CHECK (c0 < 900)", staging: columns)
      let values = names.indices.map { "n + \($0) % 100" }.joined(separator: ", ")
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1, \(values) FROM generate_series(1, 20) n;
        INSERT INTO staging.t SELECT n + 10, 2, \(values) FROM generate_series(1, 20) n;
        """
      )
      if hasBadRow { try database.run("INSERT INTO staging.t (id, updated_at, c0) VALUES (0, 2, 901)") }
      let report = try await database.merge { $0.batchRows = 7 }
      #expect(report.failures == [])
      #expect(report.totals.updated == 10)
      #expect(report.totals.inserted == 10)
      #expect(report.totals.errors == (hasBadRow ? 1 : 0))
      let all = (["id", "updated_at"] + names).joined(separator: ", ")
      #expect(
        try database.difference(
          "SELECT concat_ws(',', id, updated_at, \(names[0]), \(names[count - 1])) FROM production.t WHERE id > 10",
          "SELECT concat_ws(',', id, updated_at, \(names[0]), \(names[count - 1])) FROM staging.t WHERE id > 10"
        ) == []
      )
      #expect(try database.count("SELECT count(*) FROM (SELECT \(all) FROM production.t WHERE id > 10) AS p") == 20)
    }
  }

  @Test func `values of 100 MB pass, and a bad row of 10 MB is put aside`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v bytea"
      try database.makePair(production: columns + ", PRIMARY KEY (id), CHECK (id <> 3)", staging: columns)
      try database.run(
        """
        ALTER TABLE staging.t ALTER v SET STORAGE EXTERNAL;
        ALTER TABLE production.t ALTER v SET STORAGE EXTERNAL;
        INSERT INTO production.t VALUES (1, 1, 'old');
        INSERT INTO staging.t SELECT 2, 2, decode(repeat('00ff0a5c', 25 * 1024 * 1024), 'hex');
        INSERT INTO staging.t SELECT 1, 2, substr(v, 1, 40 * 1024 * 1024) FROM staging.t;
        INSERT INTO staging.t SELECT 3, 2, substr(v, 1, 10 * 1024 * 1024) FROM staging.t WHERE id = 2;
        """
      )
      let report = try await database.merge { $0.workers = 1 }
      #expect(report.failures == [])
      #expect(report.totals.updated == 1)
      #expect(report.totals.inserted == 1)
      #expect(report.totals.errors == 1)
      // The three rows lie in one block and are more than a batch may hold.
      #expect(report.totals.batches == 3)
      #expect(
        try database.rows(
          "SELECT p.id, length(p.v), p.v = s.v FROM production.t p JOIN staging.t s USING (id) ORDER BY id"
        ) == ["(1,41943040,t)", "(2,104857600,t)"]
      )
      #expect(try database.count("SELECT length(row_data->>'v') FROM admin.merge_errors") == 2 + 2 * 10_485_760)
      // Four copies of a row at a time are what the way takes: libpq's and the engine's, in and out.
      let peak = try #require(Self.peakResidentMegabytes())
      #expect(peak < 1200, "\(peak) MB")
    }
  }

  @Test func `many medium rows are read in batches of limited size, whatever --batch says`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int, updated_at int, v bytea"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        ALTER TABLE staging.t ALTER v SET STORAGE EXTERNAL;
        INSERT INTO staging.t SELECT n, 2, decode(repeat('00ff0a5c', 64 * 1024), 'hex') FROM generate_series(1, 300) n;
        """
      )
      let report = try await database.merge { $0.workers = 2 }
      #expect(report.status == .success)
      #expect(report.totals.inserted == 300)
      #expect(report.totals.batches >= 3)
    }
  }

  private static func peakResidentMegabytes() -> Int? {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line.flatMap { Int($0.split(separator: " ").dropLast().last ?? "") }.map { $0 / 1024 }
  }
}
