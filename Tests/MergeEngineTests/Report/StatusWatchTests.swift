import Foundation
import TestSupport
import Testing

@testable import MergeEngine

/// `status --watch`: a running merge as another terminal sees it.
@Suite struct StatusWatchTests {
  /// A merge of several batches that waits for a row lock in its first one.
  private func withWaitingMerge(
    _ arguments: [String] = [],
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await TestDatabase.with(copyOf: .filledGuide, in: .sleeping) { database async throws in
      try database.letBatchesWait()
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders FOR UPDATE")
      let merge = try database.launch(
        ["--batch", "300", "--workers", "1", "--lock-timeout", "0", "--max-lock-time", "600000", "--quiet"] + arguments
      )
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      try await body(database)
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
    }
  }

  @Test func `with JSON it is an object a line, with tables, workers, what they wait for and who holds it`()
    async throws
  {
    try await withWaitingMerge { database async throws in
      // Half of the interval is for counting: time enough on a busy machine, too.
      let watch = try database.launch(["status", "--watch", "4", "--json"])
      let lines = try await watch.waitForLines(2)
      for line in lines.prefix(2) {
        let json = try JSONValue(text: line)
        #expect(json["at"].text?.hasSuffix("Z") == true)
        #expect(json["last_run"]["status"].text == "RUNNING")
        let customers = json["tables"].table("customers")
        #expect(customers["total"].integer == 500 && customers["processed"].integer == 500)
        let orders = json["tables"].table("orders")
        #expect(orders["pending"].integer == 2000 && orders["done"].integer == 0)
        #expect(orders["is_estimate"] == .bool(false))
        let worker = try #require(json["workers"].elements.first)
        #expect(worker["run_id"].integer == 1 && worker["worker"].integer == 1)
        #expect(worker["table"].text == "orders")
        #expect(worker["waits_for"].text?.hasPrefix("Lock: ") == true)
        let holder = try #require(worker["blocked_by"].elements.first?.integer)
        #expect(try database.value("SELECT application_name FROM pg_stat_activity WHERE pid = \(holder)") == "test")
      }
      watch.send(SIGINT)
      let outcome = try await watch.outcome()
      #expect(outcome.status == 130)
      #expect(outcome.errors == "")
    }
  }

  @Test func `without a terminal it prints a plain snapshot after another, and SIGTERM ends it with 143`() async throws
  {
    try await withWaitingMerge { database async throws in
      // Half of the interval is for counting: time enough on a busy machine, too.
      let watch = try database.launch(["status", "--watch", "4"])
      let text = try await watch.waitForLines(25).joined(separator: "\n")
      #expect(!text.contains("\u{1B}"))
      #expect(text.components(separatedBy: "run 1 RUNNING, began").count > 2)
      // done, rows/s (none before the second look), left, pending, errors, processed, total
      #expect(text.contains(/\norders +░{20} +0 % +[-0] +- +2,000 +0 +0 +2,000\n/))
      #expect(text.contains(/\ncustomers +█{20} +100 % +[-0] +- +0 +0 +500 +500\n/))
      #expect(text.contains("Lock: "))
      watch.send(SIGTERM)
      #expect(try await watch.outcome().status == 143)
    }
  }

  @Test func `a terminal is drawn anew within its size, and has its cursor and its screen back after Ctrl-C`()
    async throws
  {
    try await withWaitingMerge { database async throws in
      let terminal = try PseudoTerminal(rows: 40, columns: 200)
      let watch = try CommandLineProgram(
        ["status", "--watch", "0.2", "--database", database.connectionString],
        environment: ["TERM": "xterm"],
        terminal: terminal
      )
      func frames() -> [String] { Array(terminal.text.components(separatedBy: "\u{1B}[H").dropFirst()) }
      func wait(until condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition(), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
        #expect(condition(), "\(terminal.text.suffix(2000))")
      }
      try await wait { frames().count > 3 }
      #expect(terminal.text.hasPrefix("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"))
      #expect(frames()[1].contains("orders") && frames()[1].contains("Lock: "))
      terminal.resize(rows: 5, columns: 40)
      let count = frames().count
      try await wait { frames().count > count + 3 }
      let small = frames()[count + 2]
      #expect(small.components(separatedBy: "\r\n").count == 5)
      #expect(small.contains("…"))
      watch.send(SIGINT)
      #expect(try await watch.outcome().status == 130)
      try await wait { terminal.text.contains("\u{1B}[?1049l") }
      let end = terminal.text.components(separatedBy: "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l").last ?? ""
      // What was seen last stays on the screen that comes back.
      #expect(end.contains("orders") && !end.contains("\u{1B}[?25l"))
    }
  }

  @Test func `a count that can't be had in time becomes an estimate that says so, and the watch goes on`() async throws
  {
    try await withWaitingMerge { database async throws in
      try database.run("ANALYZE staging.orders")
      let other = try database.connect()
      // As a TRUNCATE by DMS would hold it; the merge's own lock on orders is in the way of that one.
      try other.run("BEGIN; LOCK TABLE staging.customers IN ACCESS EXCLUSIVE MODE")
      let watch = try database.launch(["status", "--watch", "0.4", "--json"])
      let json = try JSONValue(text: try await watch.waitForLines(2)[1])
      #expect(json["tables"].table("customers")["is_estimate"] == .bool(true))
      try other.run("ROLLBACK")
      watch.send(SIGINT)
      #expect(try await watch.outcome().status == 130)
    }
  }

  @Test func `between two counts what the run commits carries the last one on`() async throws {
    try await TestDatabase.with { database in
      let counts = try await database.carriedOnCounts()
      #expect(counts.map(\.status.pending) == [100, 40])
      #expect(counts.map(\.status.processed) == [0, 58])
      #expect(counts.map(\.status.errors) == [0, 2])
    }
  }

  @Test func `a table's name can neither move the cursor nor break its line`() async throws {
    try await TestDatabase.with(in: .sleeping) { database async throws in
      try database.run(
        "CREATE SCHEMA production; CREATE TABLE production.\"a\u{1B}[31m\nb\" (id int PRIMARY KEY, updated_at int)"
      )
      #expect(try await database.call("init", "--status-column", "--quiet").status == 0)
      let watch = try database.launch(["status", "--watch", "0.2"])
      let text = try await watch.waitForLines(6).joined(separator: "\n")
      #expect(text.contains(#"a\x1B[31m\nb  "#))
      watch.send(SIGINT)
      _ = try await watch.outcome()
    }
  }

  @Test func `without marks what is merged counts the same`() async throws {
    try await withWaitingMerge(["--mark", "none"]) { database async throws in
      // Half of the interval is for counting: time enough on a busy machine, too.
      let watch = try database.launch(["status", "--watch", "60", "--json"])
      let json = try JSONValue(text: try await watch.waitForLines(1)[0])
      let customers = json["tables"].table("customers")
      #expect(customers["done"].integer == 500 && customers["pending"].integer == 0)
      #expect(json["tables"].table("orders")["done"].integer == 0)
      watch.send(SIGINT)
      _ = try await watch.outcome()
    }
  }

  @Test func `a replay leaves staging as it is, and the watch says so`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide, in: .sleeping) { database async throws in
      let folder = try SnapshotFolder()
      #expect(try await database.call("snapshot", "save", folder.path, "--quiet").status == 0)
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders FOR UPDATE")
      let replay = try database.launch(["replay", folder.path, "--workers", "1", "--lock-timeout", "0", "--quiet"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      // Half of the interval is for counting: time enough on a busy machine, too.
      let watch = try database.launch(["status", "--watch", "60", "--json"])
      let json = try JSONValue(text: try await watch.waitForLines(1)[0])
      let customers = json["tables"].table("customers")
      #expect(customers["pending"].integer == 500 && customers["done"].integer == 0)
      watch.send(SIGINT)
      _ = try await watch.outcome()
      try other.run("ROLLBACK")
      #expect(try await replay.outcome().status == 0)
    }
  }

  @Test func `rows that a COPY has carried so far are shown, and the rate of what was committed`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide, in: .sleeping) { database async throws in
      // New rows of orders wait at two of them, one in the first batch and one in the last. A trigger would keep them
      // from going in by COPY.
      try database.run(
        """
        CREATE FUNCTION public.wait(id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock_shared(id); RETURN true; END $$;
        ALTER TABLE production.orders ADD CHECK (order_id NOT IN (21, 1992) OR public.wait(order_id));
        """
      )
      try database.letBatchesWait()
      let other = try database.connect()
      try other.run("SELECT pg_advisory_lock(21), pg_advisory_lock(1992)")
      let merge = try database.launch([
        "--batch", "300", "--workers", "1", "--lock-timeout", "0", "--max-lock-time", "600000", "--quiet",
      ])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      // Half of the interval is for counting: time enough on a busy machine, too.
      let watch = try database.launch(["status", "--watch", "4", "--json"])
      let before = try JSONValue(text: try await watch.waitForLines(1)[0])
      let worker = try #require(before["workers"].elements.first)
      #expect(worker["activity"].text == "inserting")
      // 1, 2, 10, 11, 12 and 20 are in, 21 waits. Since 16 the server counts what it has written of its buffer: nothing yet.
      #expect(worker["copied_rows"].integer == (database.connection.serverVersionNumber < 160_000 ? 6 : 0))
      #expect(before["tables"].table("orders")["done"].integer == 0)
      let seen = try watch.outputSoFar().split(separator: "\n").count
      try other.run("SELECT pg_advisory_unlock(21)")
      let batches = "(SELECT count(*) FROM admin.merge_batches WHERE table_name = 'orders') >= 2"
      try await database.wait(for: batches)
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let lines = try await watch.waitForLines(max(seen, try watch.outputSoFar().split(separator: "\n").count) + 2)
      let after = try JSONValue(text: lines[lines.count - 1])
      #expect(after["workers"].elements.first?["activity"].text == "inserting")
      let orders = after["tables"].table("orders")
      #expect(orders["rows_per_second"].integer ?? 0 > 0)
      #expect(orders["done"].integer ?? 0 > 0)
      #expect(orders["seconds_left"].integer != nil)
      try other.run("SELECT pg_advisory_unlock_all()")
      watch.send(SIGINT)
      _ = try await watch.outcome()
      #expect(try await merge.outcome().status == 0)
    }
  }

  @Test(arguments: [[], ["--watch", "0.2"], ["--prometheus", "-"], ["--json"]])
  func `a table that there is not is refused with 73 and named; one that is gone since as well`(_ arguments: [String])
    async throws
  {
    try await TestDatabase.with(copyOf: .guide, in: .sleeping) { database async throws in
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      #expect(try await database.call("--quiet").status == 0)
      try database.run("DROP TABLE staging.orders CASCADE")
      for table in ["nobody", "orders"] {
        let outcome = try await database.call(
          arguments: ["status", "--table", "customers", "--table", table] + arguments
        )
        #expect(outcome.status == 73, "\(outcome.everything)")
        #expect(outcome.errors.contains("\(table): there is no staging table staging.\(table)."))
        // Production has one of that name, which is of no use here.
        #expect(!outcome.errors.contains("Did you mean \(table)?"))
        guard arguments == ["--json"] else {
          #expect(outcome.output == "")
          continue
        }
        let json = try outcome.json()
        #expect(json["status"].text == "BLOCKED" && json["exit_status"].integer == 73)
        #expect(json["findings"].elements.map { $0["table"].text } == [table])
      }
    }
  }

  @Test func `a table that goes while it is watched is told, and the watch goes on`() async throws {
    try await TestDatabase.with(copyOf: .guide, in: .sleeping) { database async throws in
      let watch = try database.launch(["status", "--watch", "0.2", "--json", "--table", "orders"])
      _ = try await watch.waitForLines(1)
      try database.run("ALTER TABLE staging.orders RENAME TO aside")
      try await eventually("the missing table") {
        try watch.errorsSoFar().contains("there is no staging table staging.orders.") ? () : nil
      }
      try database.run("ALTER TABLE staging.aside RENAME TO orders")
      let seen = try watch.outputSoFar().split(separator: "\n").count
      _ = try await watch.waitForLines(seen + 2)
      watch.send(SIGINT)
      let outcome = try await watch.outcome()
      #expect(outcome.status == 130)
      #expect(outcome.errors.contains("there is no staging table staging.orders."))
      #expect(!outcome.errors.contains("blocked("))
    }
  }

  @Test func `a cut connection is told, and the watch goes on with a new one`() async throws {
    try await withWaitingMerge { database async throws in
      let watch = try database.launch(["status", "--watch", "0.2", "--json"])
      _ = try await watch.waitForLines(1)
      #expect(
        try database.holds(
          """
          (SELECT bool_and(pg_terminate_backend(pid)) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'merge-engine control'
             AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))
          """
        )
      )
      let seen = try watch.outputSoFar().split(separator: "\n").count
      _ = try await watch.waitForLines(seen + 3)
      watch.send(SIGINT)
      let outcome = try await watch.outcome()
      #expect(outcome.status == 130)
      // The server's farewell does not always come through.
      #expect(
        outcome.errors.contains("terminating connection due to administrator command")
          || outcome.errors.contains("server closed the connection unexpectedly")
      )
    }
  }

  @Test func `a watch never closes a run, dead or not, and writes nothing`() async throws {
    try await TestDatabase.with(copyOf: .guide, in: .sleeping) { database async throws in
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      #expect(try await database.call("--quiet").status == 0)
      try database.run("UPDATE admin.merge_summary SET status = 'RUNNING', merge_end = NULL")
      let before = try database.contents()
      let watch = try database.launch(["status", "--watch", "0.2"])
      let text = try await watch.waitForLines(20).joined(separator: "\n")
      #expect(text.contains("No worker is connected"))
      watch.send(SIGINT)
      _ = try await watch.outcome()
      #expect(try database.contents() == before)
    }
  }

  @Test func `before anything was merged, and without staging, it says so`() async throws {
    try await TestDatabase.with(in: .sleeping) { database async throws in
      let watch = try database.launch(["status", "--watch", "0.2"])
      let text = try await watch.waitForLines(3).joined(separator: "\n")
      #expect(text.contains("Nothing has been merged yet.") && text.contains("merge-engine init"))
      watch.send(SIGINT)
      #expect(try await watch.outcome().status == 130)
    }
  }

  @Test(arguments: [
    ["5"], ["--watch", "0"], ["--watch", "-1"], ["--watch", "soon"], ["--watch", "--prometheus", "-"],
    ["--prometheus", "-", "--json"], ["--watch", "90000"],
  ])
  func `what makes no sense is wrong usage`(arguments: [String]) async throws {
    try await TestDatabase.with(in: .sleeping) { database async throws in
      let outcome = try await database.call(arguments: ["status"] + arguments)
      #expect(outcome.status == 64, "\(outcome.everything)")
      #expect(try outcome.hasNoResult(json: arguments.contains("--json")))
    }
  }

  @Test func `a server that can't be reached at the first look ends the watch with 69`() async throws {
    let outcome = try await CommandLineProgram.run([
      "status", "--watch", "--database", "host=127.0.0.1 port=1 connect_timeout=2",
    ])
    #expect(outcome.status == 69)
  }
}
