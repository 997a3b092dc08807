import Foundation
import MergeEngine
import TestSupport
import Testing

/// `verify --output`: every difference is in the file, and nothing else.
@Suite struct DifferenceFileTests {
  private static let columns = "k int PRIMARY KEY, a text, b numeric(10,2), updated_at timestamp"
  private static let window = ["--from", "2025-01-01", "--to", "2025-02-01", "--recheck-after", "0"]

  /// Ten rows, merged; 1 is changed, 2 is missing, 3 is older, 4 newer, and 99 is extra.
  private func withFaults(_ body: (TestDatabase, DifferencesFile) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns, staging: Self.columns)
      try database.run("INSERT INTO staging.t SELECT n, 'a' || n, n, '2025-01-02' FROM generate_series(1, 10) n")
      try await database.merge()
      try database.run(
        """
        UPDATE production.t SET a = NULL, b = 7 WHERE k = 1;
        DELETE FROM production.t WHERE k = 2;
        UPDATE production.t SET updated_at = '2025-01-01', b = 3.50 WHERE k = 3;
        UPDATE production.t SET updated_at = '2025-03-01', a = 'cdc' WHERE k = 4;
        INSERT INTO production.t VALUES (99, 'extra', 1, '2025-01-03'), (100, 'cdc', 1, '2025-03-01');
        """
      )
      try await body(database, DifferencesFile())
    }
  }

  @Test func `a line has the row, both versions and values, and what recognises it again`() async throws {
    try await withFaults { database, file in
      let outcome = try await database.call("verify", arguments: ["--output", file.path] + Self.window)
      #expect(outcome.status == 65, "\(outcome.transcript)")
      #expect(outcome.output.contains("merge-engine repair \(file.path) --plan"))
      #expect(try file.found() == ["differing 1", "extra 99", "missing 2", "outdated 3"])
      let differences = try file.differences()
      func line(_ kind: String) -> JSONValue { differences.first { $0["kind"].text == kind } ?? .null }

      let differing = line("differing")
      #expect(differing["pair"].text == "staging=production" && differing["table"].text == "t")
      #expect(differing["staging_version"].text == "2025-01-02 00:00:00")
      #expect(differing["production_version"].text == "2025-01-02 00:00:00")
      #expect(
        differing["columns"].elements.map { [$0["column"], $0["production"], $0["staging"]] } == [
          [.string("a"), .null, .string("a1")], [.string("b"), .string("7.00"), .string("1.00")],
        ]
      )
      #expect(
        try differing["production_row"]["xmin"].text == database.value("SELECT xmin FROM production.t WHERE k = 1")
      )
      #expect(
        try differing["production_row"]["ctid"].text == database.value("SELECT ctid FROM production.t WHERE k = 1")
      )
      #expect(line("outdated")["production_version"].text == "2025-01-01 00:00:00")
      #expect(line("outdated")["columns"].elements.map { $0["column"].text } == ["b"])
      #expect(line("missing")["production_row"] == .null && line("missing")["production_version"] == .null)
      #expect(
        line("extra")["staging_row"] == .null && line("extra")["production_version"].text == "2025-01-03 00:00:00"
      )

      let header = try JSONValue(text: file.lines[0])
      #expect(header["format_version"].integer == 1 && header["run_id"].integer == 1)
      #expect(
        try header["database"]["oid"].text
          == database.value("SELECT oid FROM pg_database WHERE datname = current_database()")
      )
      #expect(header["tables"].table("t")["from"].text == "2025-01-01 00:00:00")
    }
  }

  @Test func `the file is for its owner only, and replaced as a whole`() async throws {
    try await withFaults { database, file in
      file.text = "what was there"
      #expect(try await database.call("verify", "--output", file.path, "--table", "none").status == 73)
      #expect(file.text == "what was there")
      #expect(try await database.call("verify", "-o", file.path, "--recheck-after", "0").status == 65)
      let permissions = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
      #expect(permissions == 0o600)
      // Without a window nobody looks for extra rows.
      #expect(try file.found() == ["differing 1", "missing 2", "outdated 3"])
    }
  }

  @Test func `--no-values leaves values out, and a name that ends in csv makes a table`() async throws {
    try await withFaults { database, file in
      _ = try await database.call("verify", arguments: ["--output", file.path, "--no-values"] + Self.window)
      // In quotes: a digest may have the digits of a value.
      #expect(!file.text.contains("\"a1\"") && !file.text.contains("\"7.00\""))
      #expect(try file.found().count == 4)
      let table = DifferencesFile(suffix: ".CSV")
      _ = try await database.call("verify", arguments: ["--output", table.path] + Self.window)
      #expect(
        table.text.contains(
          "staging=production,t,differing,k=1,2025-01-02 00:00:00,2025-01-02 00:00:00,a,,a1\r\n"
        )
      )
      #expect(table.text.split(separator: "\r\n").count == 6)
    }
  }

  @Test(arguments: [["--output", "-"], ["--no-values"]])
  func `what makes no sense is wrong usage`(_ arguments: [String]) async throws {
    try await withFaults { database, _ async throws in
      #expect(try await database.call("verify", arguments: arguments).status == 64)
    }
  }

  @Test func `a file that can't be written is told before anything is compared`() async throws {
    try await withFaults { database, _ in
      let outcome = try await database.call("verify", "--output", "/nowhere/differences.jsonl")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("/nowhere/differences.jsonl can't be written"))
    }
  }

  @Test func `nothing compared is no success, and is said, as is what was left out`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns, staging: Self.columns)
      let empty = try await database.call("verify", "--json")
      #expect(empty.status == 65)
      #expect(try empty.json()["status"].text == "NOTHING COMPARED")
      try database.run(
        """
        ALTER TABLE production.t ADD CHECK (b < 9);
        INSERT INTO staging.t SELECT n, 'a', n, '2025-01-02' FROM generate_series(1, 10) n;
        """
      )
      // Not merged yet.
      let unread = try await database.call("verify")
      #expect(unread.status == 65)
      #expect(unread.output.contains("NOTHING COMPARED") && unread.output.contains("10 not merged yet"))
      _ = try await database.merge()
      try database.run("INSERT INTO staging.t SELECT n, 'a', n, '2025-03-02' FROM generate_series(11, 13) n")
      let rest = try await database.call("verify", "--from", "2025-01-01", "--to", "2025-02-01", "--json")
      let left = try rest.json()["tables"].table("t")["not_compared"]
      #expect(left["refused"].integer == 2 && left["outside_window"].integer == 3 && left["unread"].integer == 0)
      #expect(try rest.json()["tables"].table("t")["equal"].integer == 8)
      let all = try await database.call("verify", "--json")
      #expect(try all.json()["tables"].table("t")["not_compared"]["unread"].integer == 3)
    }
  }

  @Test func `ties that differ are called that, with what treats them`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns, staging: Self.columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 'new', n, '2025-01-02' FROM generate_series(1, 10) n;
        INSERT INTO production.t SELECT n, 'old', n, '2025-01-02' FROM generate_series(1, 5) n;
        """
      )
      try await database.merge()
      let outcome = try await database.call("verify", "--recheck-after", "0", "--sample", "1")
      #expect(outcome.status == 65)
      #expect(outcome.output.contains("ties differing") && outcome.output.contains("--ties compare"))
      #expect(!outcome.output.contains("production is not what staging holds"))
    }
  }

  @Test func `a row that is deleted between the two looks is called that`() async throws {
    try await withFaults { database, file in
      let pause = HeldPause()
      let verify = database.verifying(pause: pause) { $0.outputPath = file.path }
      try await pause.begin()
      try database.run("DELETE FROM production.t WHERE k = 1")
      pause.end()
      let report = try await verify.value
      #expect(report.tables[0].counts.deletedSince == 1 && report.tables[0].counts.missing == 1)
      #expect(try file.found() == ["deleted_since 1", "missing 2", "outdated 3"])
    }
  }

  @Test func `differences of many batches and workers are all in the file, once each`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 'a', 1 FROM generate_series(1, 30000) n")
      try await database.merge()
      try database.run("UPDATE production.t SET a = 'b' WHERE k % 2 = 0; DELETE FROM production.t WHERE k % 10 = 1")
      let file = DifferencesFile()
      try await database.verify(into: file) {
        $0.merge.batchRows = 1000
        $0.merge.workers = 3
      }
      let expected = (1...30000).compactMap { $0 % 2 == 0 ? "differing \($0)" : $0 % 10 == 1 ? "missing \($0)" : nil }
      #expect(try file.found() == expected.sorted())
      #expect(try Set(file.differences().map { $0["number"].integer }).count == expected.count)
    }
  }
}
