import Foundation
import TestSupport
import Testing

/// `--on-end` tells somebody how a run has ended, and changes nothing.
@Suite struct OnEndTests {
  private func withRows(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text CHECK (a <> 'bad'), updated_at int"
      try database.makePair(production: columns, staging: "k int, a text, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 'good', 1), (2, 'bad', 1)")
      try await body(database)
    }
  }

  @Test func `the command gets the run's JSON on stdin, its status in the environment, and no password`() async throws {
    try await withRows { database in
      let folder = FileManager.default.temporaryDirectory.appending(path: "on-end-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let outcome = try await database.call(
        "--on-end",
        "cat > '\(folder.path)/run.json'; env > '\(folder.path)/environment'; echo told",
        environment: ["DATABASE_URL": "postgresql://u:secret@nowhere/d", "PGPASSWORD": "secret", "OTHER": "secret"]
      )
      #expect(outcome.status == 65, "\(outcome.transcript)")
      #expect(outcome.errors.contains("told") && !outcome.output.contains("told"))
      let run = try JSONValue(data: Data(contentsOf: folder.appending(path: "run.json")))
      #expect(run["run_id"].integer == 1 && run["status"].text == "PARTIAL")
      #expect(run["totals"]["read"].integer == 2)
      let environment = try String(contentsOf: folder.appending(path: "environment"), encoding: .utf8)
      #expect(environment.contains("MERGE_ENGINE_STATUS=PARTIAL"))
      #expect(environment.contains("MERGE_ENGINE_EXIT_STATUS=65") && environment.contains("MERGE_ENGINE_RUN_ID=1"))
      #expect(!environment.contains("secret"))
    }
  }

  @Test func `its failure is told and changes nothing, and it need not read what it is given`() async throws {
    try await withRows { database in
      try database.run("DELETE FROM staging.t WHERE k = 2")
      let outcome = try await database.call("--json", files: ["merge-engine.yaml": "on_end: exit 3\n"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.errors.contains("--on-end ended with status 3"))
      #expect(try outcome.json()["status"].text == "SUCCESS")
      let leaving = try await database.call("--on-end", "sleep 70 >/dev/null 2>&1 &")
      #expect(leaving.status == 0 && !leaving.errors.contains("--on-end"), "\(leaving.transcript)")
      let seen = FileManager.default.temporaryDirectory.appending(path: "on-end-\(UUID().uuidString)").path
      defer { try? FileManager.default.removeItem(atPath: seen) }
      let blocked = try await database.call(
        "--table",
        "nothing",
        "--on-end",
        "(echo $MERGE_ENGINE_STATUS $MERGE_ENGINE_EXIT_STATUS; cat) > \(seen)"
      )
      let told = try String(contentsOfFile: seen, encoding: .utf8)
      #expect(blocked.status == 73 && told.hasPrefix("BLOCKED 73\n") && told.contains("\"findings\":[{"), "\(told)")
      let missing = try await database.call("--on-end", "/nowhere/at/all")
      #expect(missing.status == 0 && missing.errors.contains("--on-end ended with status 127"))
    }
  }
}
