import Foundation
import MergeEngine
import TestSupport
import Testing

/// What `repair` does with a file that is not as `verify` wrote it, or not of here: a message, 73, and nothing written.
@Suite struct RepairFileTests {
  private static let columns = "k int PRIMARY KEY, a text, updated_at int"

  private func withFile(_ body: (TestDatabase, DifferencesFile) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: Self.columns, staging: Self.columns)
      try database.run("INSERT INTO staging.t SELECT n, 'a', 1 FROM generate_series(1, 10) n")
      try await database.merge()
      try database.run("UPDATE production.t SET a = 'b' WHERE k <= 3")
      let file = DifferencesFile()
      try await database.verify(into: file)
      try await body(database, file)
    }
  }

  private func expectRefusal(_ words: String, _ database: TestDatabase, _ file: DifferencesFile) async throws {
    let before = try database.contents()
    for arguments in [[], ["--plan"]] {
      let outcome = try await database.call("repair", file.path, arguments: arguments)
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains(words), "\(outcome.errors)")
    }
    #expect(try database.contents() == before)
  }

  @Test func `damage of every kind is told with its line`() async throws {
    try await withFile { database, file in
      let whole = file.lines
      func expect(_ words: String, _ lines: [String]) async throws {
        file.lines = lines
        try await expectRefusal(words, database, file)
      }
      try await expect("is truncated", Array(whole.dropLast()))
      file.text = String(whole.joined(separator: "\n").dropLast(40))
      try await expectRefusal("line 5 is not as it was written", database, file)
      try await expect("does not start like a file", Array(whole.dropFirst()))
      try await expect(
        "line 3 is not as it was written",
        whole.map { $0 == whole[2] ? $0.replacing("\"b\"", with: "\"c\"") : $0 }
      )
      try await expect("line 4 appears twice", Array(whole[..<3]) + Array(whole[2...]))
      try await expect("line 6 comes after the last one", whole + [whole[1]])
      try await expect("is empty", [])
      try await expect(
        "format version 2",
        [whole[0].replacing(#""format_version":1"#, with: #""format_version":2"#)]
      )
      try await expect("line 1 is not as it was written", [whole[0].replacing(#""run_id":1"#, with: #""run_id":2"#)])
      try await expect("does not start like a file", ["number,pair,table", "1,a=b,t"])
      // Spacing is nobody's business, and neither are lines that end in another way.
      file.text = whole.map { $0.replacing(",\"", with: ", \"") + "\r\n" }.joined(separator: "\n")
      #expect(try await database.repair(file).updated == 3)
    }
  }

  @Test func `a line of another file is none of this one`() async throws {
    try await withFile { database, file in
      let other = DifferencesFile()
      try await database.verify(into: other)
      file.lines[1] = other.lines[1]
      try await expectRefusal("line 2 is not as it was written", database, file)
    }
  }

  @Test func `a file of another database, of other schemas, or from before a later merge is refused`() async throws {
    try await withFile { database, file in
      try await withFile { other, _ in
        try await expectRefusal("it is about the database \(database.name), not \(other.name)", other, file)
      }
      let renamed = try await database.call("repair", file.path, "--production-schema", "shop")
      #expect(renamed.status == 73 && renamed.errors.contains("staging=production, not staging=shop"))
      try await database.merge()
      try await expectRefusal("was written after run 1, and run 2 has merged since", database, file)
    }
  }

  @Test func `a file that is not there, and one of a table that is gone or has another key`() async throws {
    try await withFile { database, file in
      let nowhere = DifferencesFile()
      try await expectRefusal("can't be read", database, nowhere)
      let unknown = try await database.call("repair", file.path, "--table", "u")
      #expect(unknown.status == 73 && unknown.errors.contains("does not mention it"))
      try database.run("ALTER TABLE production.t RENAME k TO key; ALTER TABLE staging.t RENAME k TO key")
      try await expectRefusal("its key was k when it was verified, and is key now", database, file)
      try database.run("DROP TABLE production.t")
      try await expectRefusal("t", database, file)
    }
  }

  @Test func `values are read from the columns of staging that were compared, or not at all`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, n int, m int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (9, 4, 9, 9)")
      let settings = ["merge-engine.yaml": "tables: {t: {columns: {m: n, n: m}}}"]
      #expect(try await database.call("merge", files: settings).status == 0)
      try database.run("UPDATE production.t SET n = 99")
      let file = DifferencesFile()
      let output = ["--output", file.path, "--recheck-after", "0"]
      #expect(try await database.call("verify", arguments: output, files: settings).status == 65)
      let refused = try await database.call("repair", file.path)
      #expect(refused.status == 73 && refused.errors.contains("m for n"), "\(refused.transcript)")
      let repair = try await database.call("repair", arguments: [file.path], files: settings)
      #expect(repair.status == 0, "\(repair.transcript)")
      #expect(try database.rows("SELECT n, m FROM production.t") == ["(9,4)"])
    }
  }

  @Test(arguments: [
    ["--kind", "unreadable"], ["--kind", "missing,none"], ["--kind", ""], ["--kind", "missing,"], ["--batch", "0"],
    ["--max-extra-percent", "101"],
  ])
  func `wrong usage ends with 64`(_ arguments: [String]) async throws {
    try await withFile { database, file async throws in
      #expect(try await database.call("repair", file.path, arguments: arguments).status == 64)
    }
  }

  @Test func `a file without differences is content`() async throws {
    try await withFile { database, file in
      try database.run("UPDATE production.t SET a = 'a'")
      try await database.verify(into: file)
      let outcome = try await database.call("repair", file.path)
      #expect(outcome.status == 0 && outcome.output.contains("lists no differences"))
    }
  }
}
