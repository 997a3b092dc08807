import Foundation
import TestSupport
import Testing

/// The commands as scripts call them: exit statuses, JSON, bad input.
@Suite struct CommandTests {
  private func call(_ arguments: String..., database: TestDatabase) async throws -> CommandLineProgram.Outcome {
    try await database.call(arguments: arguments)
  }

  private func withTable(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 's', 1 FROM generate_series(1, 10) n")
      try await body(database)
    }
  }

  @Test func `plan ends with 0 and says what merge then says`() async throws {
    try await withTable { database in
      let plan = try await call("plan", "--json", database: database)
      #expect(plan.status == 0)
      #expect(try plan.json()["dry_run"] == .bool(true))
      let merge = try await call("merge", "--json", database: database)
      #expect(try plan.json()["totals"]["inserted"].integer == 10)
      #expect(try merge.json()["totals"]["inserted"].integer == 10)
      let text = try await call("plan", database: database)
      #expect(text.output.contains("DRY RUN"))
    }
  }

  @Test func `plan ends with 73 when something stands against the merge, with JSON too`() async throws {
    try await withTable { database in
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_pkey")
      for flag in ["--json", "--quiet"] {
        let plan = try await call("plan", flag, database: database)
        #expect(plan.status == 73)
        #expect((plan.output + plan.errors).contains("no primary key"))
      }
    }
  }

  @Test func `verify ends with 0, and with 65 when something differs`() async throws {
    try await withTable { database in
      _ = try await call("merge", database: database)
      #expect(try await call("verify", "--recheck-after", "0", database: database).status == 0)
      try database.run("UPDATE production.t SET a = 'x' WHERE k = 3")
      let text = try await call("verify", "--recheck-after", "0", database: database)
      #expect(text.status == 65)
      #expect(text.output.contains("column a differs in 1 row: k 3"))
      let json = try await call("verify", "--recheck-after", "0", "--json", database: database)
      #expect(json.status == 65)
      #expect(try json.json()["status"].text == "DIFFERENT")
    }
  }

  @Test func `merge takes --ties and refuses what it does not know`() async throws {
    try await withTable { database in
      try database.run("INSERT INTO production.t VALUES (1, 'old', 1)")
      #expect(try await call("merge", "--ties", "maybe", database: database).status == 64)
      let merge = try await call("merge", "--ties", "compare", "--json", database: database)
      #expect(try merge.json()["totals"]["updated"].integer == 1)
    }
  }

  @Test func `the configuration file knows ties, recheck_after and max_extra_percent`() async throws {
    try await withTable { database in
      let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).yaml")
      defer { try? FileManager.default.removeItem(at: file) }
      try database.run("INSERT INTO production.t VALUES (1, 'old', 1)")
      try "ties: compare\nrecheck_after: 0.5\nmax_extra_percent: 0.5\n".write(
        to: file,
        atomically: true,
        encoding: .utf8
      )
      let plan = try await call("plan", "--json", "--config", file.path, database: database)
      #expect(try plan.json()["totals"]["updated"].integer == 1)
      for wrong in ["ties: maybe", "recheck_after: soon", "max_extra_percent: some"] {
        try wrong.write(to: file, atomically: true, encoding: .utf8)
        let command = wrong.hasPrefix("ties") ? "plan" : "verify"
        let result = try await call(command, "--config", file.path, database: database)
        #expect(result.status == 78, "\(wrong)")
        #expect(result.errors.contains(wrong.prefix { $0 != ":" }))
      }
    }
  }

  static let wrongUsages = [
    ["plan", "--samples", "-1"], ["plan", "--batch", "0"], ["plan", "--workers", "0"],
    ["plan", "--from", "yesterdayish"],
    ["plan", "--from", "5", "--to", "5"], ["verify", "--recheck-after", "-1"],
    ["verify", "--extra", "delete"], ["verify", "--workers", "65"],
    ["verify", "--from", "9", "--to", "1"], ["verify", "--samples", "many"], ["plan", "--statement-timeout", "-1"],
  ]

  @Test(arguments: wrongUsages)
  func `wrong usage ends with 64 and a message`(_ arguments: [String]) async throws {
    try await withTable { database in
      let result = try await database.call(arguments: arguments)
      #expect(result.status == 64, "\(result.errors)")
      #expect(!result.errors.isEmpty)
    }
  }

  @Test func `a database that can't be reached ends with 69`() async throws {
    for command in ["plan", "verify"] {
      let result = try await CommandLineProgram.run([
        command, "--database", "host=/nowhere dbname=x connect_timeout=1",
      ])
      #expect(result.status == 69)
    }
  }

  @Test func `verify of a table that is gone ends with 73`() async throws {
    try await withTable { database in
      _ = try await call("merge", database: database)
      try database.run("DROP TABLE production.t")
      for command in ["plan", "verify"] {
        #expect(try await call(command, "--table", "t", database: database).status == 73)
      }
    }
  }

  @Test func `plan and verify go on while a merge runs, and with a run that is being rolled back`() async throws {
    try await withTable { database in
      let holder = try database.connect()
      try holder.run("INSERT INTO production.t VALUES (5, 'x', 0)")
      try holder.run("BEGIN; UPDATE production.t SET a = 'held' WHERE k = 5")
      // Else the batch would be divided, and the other rows be merged meanwhile.
      try database.letBatchesWait()
      let merge = database.start {
        $0.workers = 1
        $0.lockTimeoutMilliseconds = 0
        $0.maxLockMilliseconds = 600_000
      }
      try await database.waitForBlockedSessions()
      let plan = try await call("plan", "--json", database: database)
      #expect(plan.status == 0, "\(plan.errors)")
      #expect(try plan.json()["totals"]["read"].integer == 10)
      // The batch that waits is the first: no row is merged yet, and to have compared none is no success.
      let verify = try await call("verify", "--json", "--recheck-after", "0", database: database)
      #expect(verify.status == 65, "\(verify.errors)")
      #expect(try verify.json()["status"].text == "NOTHING COMPARED")
      #expect(try verify.json()["tables"].table("t")["not_compared"]["unread"].integer == 10)
      try holder.run("COMMIT")
      #expect(try await database.finish(merge).totals.read == 10)
      try database.run("UPDATE admin.merge_summary SET status = 'ROLLING BACK'")
      for command in ["plan", "verify"] {
        #expect(try await call(command, "--quiet", database: database).status == 0)
      }
      // Nobody rolls it back any more, which only who writes may settle.
      #expect(try database.value("SELECT status FROM admin.merge_summary") == "ROLLING BACK")
      #expect(try database.value("SELECT count(*) FROM admin.merge_verifications") == "0")
    }
  }
}
