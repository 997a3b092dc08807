import Foundation
import TestSupport
import Testing

/// A row of staging whose key production can't have is refused, and is in nobody else's way.
@Suite struct UnreadableKeyTests {
  struct Kind: Sendable, CustomTestStringConvertible {
    var testDescription: String { "\(production) from \(staging)" }
    let production: String
    let staging: String
    /// Two keys of both, of which production has one beyond what is staged.
    let good: String
    let extra: String
    /// What production can't hold, or would take for ``extra``.
    let bad: String
  }

  static let kinds = [
    Kind(production: "int", staging: "bigint", good: "7", extra: "5", bad: "99999999999"),
    Kind(production: "int", staging: "text", good: "7", extra: "5", bad: "zz"),
    Kind(production: "int", staging: "numeric", good: "7", extra: "2", bad: "1.5"),
    Kind(production: "date", staging: "text", good: "2025-01-07", extra: "2025-01-05", bad: "2025-13-01"),
    Kind(production: "public.mood", staging: "text", good: "calm", extra: "cross", bad: "gone"),
    Kind(production: "int4range", staging: "text", good: "[1,2)", extra: "[3,4)", bad: "[4,3)"),
  ]

  private func fill(_ database: TestDatabase, _ kind: Kind, badCount: Int = 1) throws {
    try database.run(
      """
      CREATE TYPE public.mood AS ENUM ('calm', 'cross');
      CREATE SCHEMA production; CREATE TABLE production.t (id \(kind.production) PRIMARY KEY, updated_at timestamp);
      CREATE SCHEMA staging; CREATE TABLE staging.t (id \(kind.staging), updated_at timestamp);
      INSERT INTO production.t VALUES ('\(kind.extra)', '2025-01-02');
      INSERT INTO staging.t SELECT '\(kind.bad)', '2025-01-02' FROM generate_series(1, \(badCount));
      INSERT INTO staging.t VALUES ('\(kind.good)', '2025-01-02')
      """
    )
  }

  private static let window = ["--from", "2025-01-01", "--to", "2025-02-01"]

  @Test(arguments: kinds, [1, 400]) func `verify, why and repair go by the others`(_ kind: Kind, badCount: Int)
    async throws
  {
    try await TestDatabase.with { database in
      try fill(database, kind, badCount: badCount)
      #expect(try await database.call("merge", arguments: Self.window).status == 65)
      let folder = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let file = folder.appending(path: "extra.jsonl").path
      let verify = try await database.call(
        "verify",
        "--recheck-after",
        "0",
        "--output",
        file,
        "--json",
        arguments: Self.window
      )
      #expect(verify.status == 65, "\(verify.transcript)")
      #expect(try verify.json()["tables"].table("t")["extra"]["rows"].integer == 1, "\(verify.transcript)")
      let why = try await database.call("why", "t", kind.good, "--json")
      #expect(why.status == 0, "\(why.transcript)")
      #expect(try why.json()["staging"].elements.map { $0["verdict"].text } == ["unchanged"])
      // The bad key is no row of this one.
      let ofExtra = try await database.call("why", "t", kind.extra, "--json")
      #expect(try ofExtra.json()["staging"].elements.isEmpty, "\(ofExtra.transcript)")
      for plan in [["--plan"], []] {
        let repair = try await database.call(
          "repair",
          file,
          "--kind",
          "extra",
          "--max-extra-percent",
          "100",
          "--json",
          arguments: plan
        )
        #expect(repair.status == 0, "\(repair.transcript)")
        #expect(try repair.json()["totals"]["deleted"].integer == 1, "\(repair.transcript)")
      }
      #expect(try database.rows("SELECT id FROM production.t").count == 1)
    }
  }

  /// Which lie in no window, of whatever command.
  @Test(arguments: [false, true]) func `a version that can't be read is in nobody's way`(isMerged: Bool) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at timestamp", staging: "id int, updated_at text")
      try database.run(
        """
        INSERT INTO staging.t SELECT n, '2025-01-02' FROM generate_series(1, 300) AS n;
        INSERT INTO production.t VALUES (1, '2025-01-01'), (1000, '2025-01-02')
        """
      )
      if isMerged { #expect(try await database.call("merge", arguments: Self.window).status == 0) }
      try database.run("INSERT INTO staging.t VALUES (401, 'junk'), (402, '2025-01-03'), (403, '2026-01-01')")
      let plan = try await database.call("plan", "--json", arguments: Self.window)
      let merge = try await database.call("merge", "--json", arguments: Self.window)
      for outcome in [plan, merge] {
        #expect(outcome.status == 0, "\(outcome.transcript)")
        #expect(outcome.output.contains("has a version (updated_at) that is no timestamp"), "\(outcome.transcript)")
        let totals = try outcome.json()["totals"]
        #expect(totals["inserted"].integer == (isMerged ? 1 : 300), "\(outcome.transcript)")
      }
      let verify = try await database.call("verify", "--recheck-after", "0", "--json", arguments: Self.window)
      #expect(verify.status == 65, "\(verify.transcript)")
      #expect(try verify.json()["tables"].table("t")["extra"]["rows"].integer == 1)
      #expect(try await database.call("why", "t", "1").status == 0)
      #expect(try await database.call("cleanup", "--keep-task").status == 65)
      // Without a window it is read, and refused.
      let whole = try await database.merge()
      #expect(whole.totals.errors == 1 && whole.totals.inserted == 1, "\(whole.totals)")
      #expect(try await database.call("cleanup", "--keep-task").status == 65)
    }
  }

  @Test func `more of them than can be looked up one by one are told`() async throws {
    try await TestDatabase.with { database in
      try fill(database, Self.kinds[1], badCount: 1200)
      #expect(try await database.call("merge", arguments: Self.window).status == 65)
      let verify = try await database.call("verify", "--recheck-after", "0", arguments: Self.window)
      #expect(verify.transcript.contains("more than 1000 rows of staging.t have keys"), "\(verify.transcript)")
    }
  }

  @Test func `why shows a row whose other values can't be read`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, p smallint, updated_at timestamp",
        staging: "id int, p text, updated_at timestamp"
      )
      try database.run("INSERT INTO staging.t VALUES (1, '40000', '2025-01-02'), (2, '5', '2025-01-02')")
      #expect(try await database.call("merge").status == 65)
      let why = try await database.call("why", "t", "1", "--json")
      #expect(why.status == 0, "\(why.transcript)")
      let row = try why.json()
      #expect(row["staging"].elements.map { $0["verdict"].text } == ["error"])
      #expect(row["staging"].elements.map { $0["standing"].text } == ["refused"])
      #expect(row["staging"].elements[0]["values"]["p"].text == "40000")
      #expect(row["refusals"].elements.map { $0["sqlstate"].text } == ["22003"])
      let text = try await database.call("why", "t", "1")
      #expect(text.output.contains("can't all be read as production's types"), "\(text.transcript)")
    }
  }
}
