import Foundation
import TestSupport
import Testing

/// `merge --report FILE`: written whatever becomes of the run, and never at the cost of the merge.
@Suite struct MergeReportTests {
  @Test func `a merge writes its report at the end, and its result is what it is without`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      try await withFolder { folder in
        let outcome = try await database.call("--json", "--report", "\(folder)/report.html")
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
        #expect(try outcome.json()["run_id"].integer == 1)
        #expect(try database.differencesFromExpected() == 0)
        #expect(try report(folder).contains("<title>Run 1 - SUCCESS - merge-engine</title>"))
      }
    }
  }

  @Test(arguments: [(["--quiet"], 65, "PARTIAL"), (["--atomic"], 74, "FAILED")])
  func `a run that is not whole has its report too, and its own exit status`(
    arguments: [String],
    status: Int32,
    word: String
  ) async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("ALTER TABLE production.orders ADD CHECK (amount <> 17.75)")
      try await withFolder { folder in
        let outcome = try await database.call(arguments: arguments + ["--report", "\(folder)/report.html"])
        #expect(outcome.status == status)
        #expect(try report(folder).contains("<title>Run 1 - \(word) - merge-engine</title>"))
      }
    }
  }

  @Test func `a run that a signal ends has its report, and ends with 130`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      try await withFolder { folder in
        let merge = try database.launch(["--report", "\(folder)/report.html", "--quiet"])
        try await database.wait(for: TestDatabase.somebodyWaitsForALock)
        merge.send(SIGINT)
        #expect(try await merge.outcome().status == 130)
        #expect(try report(folder).contains("<title>Run 1 - ABORTED - merge-engine</title>"))
      }
      try other.run("ROLLBACK")
    }
  }

  @Test func `a report that can't be written blocks the merge with 73 before anything is written`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      let before = try database.contents()
      let outcome = try await database.call("--report", "/nowhere/at/all/report.html")
      #expect(outcome.status == 73)
      #expect(
        outcome.errors.contains("the report /nowhere/at/all/report.html can't be written: No such file or directory")
      )
      #expect(outcome.errors.contains("Nothing was written."))
      #expect(try database.contents() == before)
    }
  }

  @Test func `stdout has the result already, so a report there is wrong usage`() async throws {
    try await TestDatabase.with { database async throws in
      let outcome = try await database.call("--report", "-")
      #expect(outcome.status == 64)
      #expect(outcome.output == "")
    }
  }

  @Test func `a folder that goes during the merge costs the report alone: all is merged, and how to have it is said`()
    async throws
  {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      try await withFolder { folder in
        try FileManager.default.createDirectory(atPath: "\(folder)/a", withIntermediateDirectories: false)
        let merge = try database.launch(["--report", "\(folder)/a/report.html", "--json"])
        try await database.wait(for: TestDatabase.somebodyWaitsForALock)
        try FileManager.default.removeItem(atPath: "\(folder)/a")
        try other.run("ROLLBACK")
        let outcome = try await merge.outcome()
        #expect(outcome.status == 70)
        #expect(try outcome.json()["status"].text == "SUCCESS")
        #expect(outcome.errors.contains("the report of run 1 is not written"))
        #expect(outcome.errors.contains("merge-engine report 1 --output FILE"))
        #expect(try database.differencesFromExpected() == 0)
        #expect(try database.runStatuses() == "SUCCESS")
      }
    }
  }

  @Test func `the demo keeps its report, and nothing else`() async throws {
    try await withFolder { folder in
      let outcome = try await CommandLineProgram.run(["demo", "--report", "\(folder)/report.html"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try report(folder).contains("<title>Run 1 - SUCCESS - merge-engine</title>"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["report.html"])
    }
  }

  private func report(_ folder: String) throws -> String {
    try String(contentsOfFile: "\(folder)/report.html", encoding: .utf8)
  }
}
