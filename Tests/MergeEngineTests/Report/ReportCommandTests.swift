import Foundation
import TestSupport
import Testing

/// `report RUN`: where it writes, and what it refuses.
@Suite struct ReportCommandTests {
  @Test func `the file stands in the working directory under the run's number, readable by its owner alone`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      try await mergeOnce(database)
      try await withFolder { folder in
        let path = "\(folder)/report.html"
        try "an older report".write(toFile: path, atomically: true, encoding: .utf8)
        let outcome = try await database.call("report", "1", "--output", path)
        #expect(outcome.status == 0)
        #expect(outcome.output == "The report of run 1, SUCCESS, is in \(path).\n")
        #expect(outcome.errors == "")
        #expect(try String(contentsOfFile: path, encoding: .utf8).hasSuffix("</html>\n"))
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["report.html"])
      }
      // Without --output it is the program's own folder, which goes with it.
      #expect(try await database.call("report", "1").output == "The report of run 1, SUCCESS, is in run-1.html.\n")
    }
  }

  @Test func `without a number it is about the latest run`() async throws {
    try await TestDatabase.with { database async throws in
      #expect(try await database.call("report").status == 73)
      try await database.makeGuideTables()
      // The admin tables are there now, and no run in them.
      #expect(try await database.call("report").status == 64)
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      for _ in 1...2 { #expect(try await database.call("--quiet").status == 0) }
      #expect(try await database.call("report").output == "The report of run 2, SUCCESS, is in run-2.html.\n")
      try database.run("DELETE FROM admin.merge_logs; DELETE FROM admin.merge_batches; DELETE FROM admin.merge_summary")
      let outcome = try await database.call("report")
      #expect(outcome.status == 64 && outcome.errors.contains("nothing has been merged yet"), "\(outcome.transcript)")
    }
  }

  @Test func `JSON says run, status and file; quiet says nothing`() async throws {
    try await TestDatabase.with { database async throws in
      try await mergeOnce(database)
      let json = try await database.call("report", "1", "--json").json()
      #expect(json["run_id"].integer == 1)
      #expect(json["status"].text == "SUCCESS")
      #expect(json["file"].text == "run-1.html")
      #expect(try await database.call("report", "1", "--quiet").everything == "")
    }
  }

  @Test func `a run that there is not is refused with 64, and where to look is said`() async throws {
    try await TestDatabase.with { database async throws in
      try await mergeOnce(database)
      for id in ["2", "0", "9223372036854775807"] {
        let outcome = try await database.call("report", id)
        #expect(outcome.status == 64, "\(id): \(outcome.errors)")
        #expect(outcome.output == "")
      }
      #expect(
        try await database.call("report", "2").errors.contains(
          "there is no run 2 in admin.merge_summary; merge-engine status"
        )
      )
    }
  }

  @Test(arguments: [
    ["report", "last"], ["report", "1", "2"], ["report", "1", "--json", "--output", "-"],
  ])
  func `what names no run, or wants stdout twice, is wrong usage`(arguments: [String]) async throws {
    let outcome = try await CommandLineProgram.run(arguments)
    #expect(outcome.status == 64)
    #expect(try outcome.hasNoResult(json: arguments.contains("--json")))
  }

  @Test func `without admin tables it is blocked with 73, and makes none`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makeGuideProduction()
      let before = try database.contents()
      let outcome = try await database.call("report", "1")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("the admin schema admin is missing or incomplete"))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a file that can't be written is blocked with 73, and what stands there stays`() async throws {
    try await TestDatabase.with { database async throws in
      try await mergeOnce(database)
      try await withFolder { folder in
        let cases = [
          ("\(folder)/nowhere/report.html", "No such file or directory"), (folder, "it is a folder"),
          ("/dev/null", "not a regular file"), ("", "a file without a name"),
        ]
        for (path, reason) in cases {
          let outcome = try await database.call("report", "1", "--output", path)
          #expect(outcome.status == 73, "\(path)")
          #expect(outcome.errors.contains(reason), "\(path): \(outcome.errors)")
          #expect(outcome.output == "")
        }
        #expect(
          try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type] as? FileAttributeType
            == .typeCharacterSpecial
        )
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
      }
    }
  }

  @Test func `a link is refused, and what it leads to stays as it was`() async throws {
    try await TestDatabase.with { database async throws in
      try await mergeOnce(database)
      try await withFolder { folder in
        try FileManager.default.createDirectory(atPath: "\(folder)/kept", withIntermediateDirectories: false)
        try Data("kept".utf8).write(to: URL(filePath: "\(folder)/kept/report.html"))
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder)/latest.html",
          withDestinationPath: "\(folder)/kept/report.html"
        )
        let outcome = try await database.call("report", "1", "--output", "\(folder)/latest.html")
        #expect(outcome.status == 73)
        #expect(outcome.errors.contains("it is a symbolic link. Name the file itself, or remove the link."))
        #expect(try String(contentsOfFile: "\(folder)/kept/report.html", encoding: .utf8) == "kept")
        let kind =
          try FileManager.default.attributesOfItem(atPath: "\(folder)/latest.html")[.type] as? FileAttributeType
        #expect(kind == .typeSymbolicLink)
      }
    }
  }

  @Test func `the report of a run that still goes on says so, with the figures up to now`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders FOR UPDATE")
      let merge = try database.launch(["--batch", "100", "--quiet"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let outcome = try await database.call("report", "1", "--output", "-")
      #expect(outcome.status == 0)
      #expect(outcome.output.contains("<title>Run 1 - RUNNING - merge-engine</title>"))
      #expect(outcome.output.contains("The run was still going when this page was made"))
      #expect(outcome.output.contains("still going"))
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
    }
  }

  @Test func `a role that may only read makes reports and changes nothing`() async throws {
    try await TestDatabase.with { database async throws in
      try await mergeOnce(database)
      let role = "reader_\(database.name)"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN;
        ALTER ROLE \(role) SET default_transaction_read_only = on;
        GRANT USAGE ON SCHEMA admin TO \(role);
        GRANT SELECT ON ALL TABLES IN SCHEMA admin TO \(role);
        UPDATE admin.merge_summary SET status = 'RUNNING';
        """
      )
      let before = try database.contents()
      let outcome = try await CommandLineProgram.run([
        "report", "1", "--output", "-", "--database", database.connectionString(role: role),
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("RUNNING"))
      #expect(try database.contents() == before)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  private func mergeOnce(_ database: TestDatabase) async throws {
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: 20, customerCount: 10)
    #expect(try await database.call("--quiet").status == 0)
  }
}

/// Runs `body` with an empty folder, which is gone afterwards.
func withFolder(_ body: (String) async throws -> Void) async throws {
  let folder = FileManager.default.temporaryDirectory.appending(path: "merge-engine-files-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try await body(folder.path)
}
