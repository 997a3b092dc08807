import Foundation
import MergeEngine
import TestSupport
import Testing

/// `control` steers a running merge, and `--pause-while` and `--window` pause it.
@Suite struct ControlTests {
  private static let columns = "k int PRIMARY KEY, a text, updated_at int"

  /// A staging table of so many rows, a slow merge of which takes minutes.
  private func withRows(_ count: Int = 20_000, hasAdminSchema: Bool = true, _ body: (TestDatabase) async throws -> Void)
    async throws
  {
    try await TestDatabase.with(in: .sleeping) { database in
      try database.makePair(production: Self.columns, staging: Self.columns)
      try database.run(
        "INSERT INTO staging.t SELECT n, 'staged', 5 FROM generate_series(1, \(count)) n; ANALYZE staging.t"
      )
      if hasAdminSchema { #expect(try await database.call("init").status == 0) }
      try await body(database)
    }
  }

  /// A condition: some of the rows are merged.
  private static let hasBegun = "(SELECT coalesce(sum(records_read), 0) FROM admin.merge_logs) > 0"

  private static let read = "SELECT sum(records_read) FROM admin.merge_logs"

  @Test func `a merge is paused under CDC without a lock left, says so, and is resumed with exact counts`() async throws
  {
    try await withRows { database in
      let merge = try database.launch(["--batch", "200", "--max-rows-per-second", "200", "--workers", "2", "--json"])
      try await database.wait(for: Self.hasBegun)
      let pause = try await database.call("control", "1", "--pause", "--json")
      #expect(pause.status == 0, "\(pause.transcript)")
      #expect(try pause.json()["done"] == .bool(true))
      let readBefore = try database.count(Self.read)
      #expect(readBefore < 20_000)
      #expect(
        try database.count(
          """
          SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
          WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND c.relnamespace IN ('production'::regnamespace, 'staging'::regnamespace)
          """
        ) == 0
      )
      #expect(
        try database.holds(
          """
          (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run 1 worker %'
           AND datname = current_database() AND state = 'idle') = 2
          """
        )
      )
      // CDC goes on, and nothing of the merge's does.
      for key in stride(from: 1, through: 19_991, by: 10) {
        try database.run(
          "INSERT INTO production.t VALUES (\(key), 'cdc', 9) ON CONFLICT (k) DO UPDATE SET a = 'cdc', updated_at = 9"
        )
      }
      try await Task.sleep(for: .seconds(3))
      #expect(try database.count(Self.read) == readBefore)
      let status = try await database.call("status", "--json").json()
      #expect(status["last_run"]["paused_because"].text == "merge-engine control --pause")
      let watch = try database.launch(["status", "--watch"])
      let screen = try await watch.waitForLines(1).joined()
      watch.send(2)
      #expect(screen.contains("PAUSED"))
      #expect(try await watch.outcome().status == 130)

      let resume = try await database.call("control", "1", "--resume", "--max-rows-per-second", "0")
      #expect(resume.status == 0 && resume.output.contains("to run at full speed, and to continue, and has done so"))
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let totals = try outcome.json()["totals"]
      #expect(totals["read"].integer == 20_000)
      #expect(try #require(totals["inserted"].integer) + #require(totals["stale"].integer) == 20_000)
      #expect(
        try database.rows("SELECT a, count(*) FROM production.t GROUP BY a ORDER BY a") == [
          "(cdc,2000)", "(staged,18000)",
        ]
      )
      #expect(try outcome.json()["warnings"].elements.contains { $0.text?.contains("the run was paused from") == true })
      #expect(
        try database.rows("SELECT action, value, taken_at IS NOT NULL FROM admin.merge_controls ORDER BY id") == [
          "(pause,,t)", "(max-rows-per-second,0,t)", "(resume,,t)",
        ]
      )
      #expect(try database.value("SELECT paused_because FROM admin.merge_summary") == nil)
    }
  }

  @Test func `workers are added and taken away, and the rate is changed`() async throws {
    try await withRows { database in
      let merge = try database.launch([
        "--batch", "100", "--max-rows-per-second", "100", "--workers", "1", "--json",
      ])
      try await database.wait(for: Self.hasBegun)
      let more = try await database.call("control", "1", "--workers", "4", "--max-rows-per-second", "400")
      #expect(more.status == 0)
      try await database.wait(for: "(SELECT count(DISTINCT worker) FROM admin.merge_batches) = 4")
      #expect(try await database.call("control", "1", "--workers", "2").status == 0)
      #expect(try await database.call("control", "1", "--max-rows-per-second", "0").status == 0)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["inserted"].integer == 20_000)
      #expect(try database.count("SELECT count(*) FROM admin.merge_controls WHERE taken_at IS NULL") == 0)
    }
  }

  @Test func `a rate that is raised, and one that is lifted, act on the next batches`() async throws {
    try await withRows { database in
      try database.letBatchesWait()
      let merge = try database.launch([
        "--batch", "20000", "--max-rows-per-second", "100", "--workers", "1", "--max-lock-time", "60000", "--json",
      ])
      try await database.wait(for: "(SELECT count(*) FROM admin.merge_batches) >= 2")
      #expect(try await database.call("control", "1", "--max-rows-per-second", "1500").status == 0)
      // No batch has more rows than may be read in a second.
      try await database.wait(for: "(SELECT max(records_read) FROM admin.merge_batches) > 100")
      #expect(try await database.call("control", "1", "--max-rows-per-second", "0").status == 0)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["inserted"].integer == 20_000)
      let sizes = try database.rows("SELECT records_read FROM admin.merge_batches ORDER BY id")
        .compactMap { Int($0.dropFirst().dropLast()) }
      #expect(sizes.reduce(0, +) == 20_000)
      #expect(sizes.prefix(2).allSatisfy { $0 <= 100 }, "\(sizes)")
      #expect(sizes.contains { $0 > 100 && $0 <= 1500 }, "\(sizes)")
      #expect(sizes.contains { $0 > 1500 }, "\(sizes)")
    }
  }

  @Test func `a run is stopped as by Ctrl-C, and the next one goes on`() async throws {
    try await withRows { database in
      let merge = try database.launch(["--batch", "100", "--max-rows-per-second", "100"])
      try await database.wait(for: Self.hasBegun)
      #expect(try await database.call("control", "1", "--stop").status == 0)
      #expect(try await merge.outcome().status == 130)
      #expect(try database.runStatuses() == "ABORTED")
      let readCount = try database.count(Self.read)
      #expect(try await database.merge().totals.read == 20_000 - readCount)
    }
  }

  @Test func `what was asked for holds after the run's connections were lost`() async throws {
    try await withRows { database in
      let merge = try database.launch(["--batch", "100", "--max-rows-per-second", "200", "--json"])
      try await database.wait(for: Self.hasBegun)
      #expect(try await database.call("control", "1", "--pause").status == 0)
      try database.run(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'merge-engine %'
        """
      )
      try await database.wait(
        for: """
          EXISTS (SELECT FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = 'merge-engine control')
          """
      )
      let readCount = try database.count(Self.read)
      try await Task.sleep(for: .seconds(2))
      #expect(try database.count(Self.read) == readCount)
      #expect(try await database.call("control", "1", "--resume", "--max-rows-per-second", "0").status == 0)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["read"].integer == 20_000)
    }
  }

  @Test func `a run that is over, dead, or none is refused, and so is what makes no sense`() async throws {
    try await withRows(10, hasAdminSchema: false) { database in
      let early = try await database.call("control", "1", "--pause")
      #expect(early.status == 73 && early.errors.contains("no run of this version has begun"))
      try await database.merge()
      let over = try await database.call("control", "1", "--pause")
      #expect(over.status == 73 && over.errors.contains("run 1 is SUCCESS"))
      let none = try await database.call("control", "77", "--resume")
      #expect(none.status == 64 && none.errors.contains("there is no run 77"))
      try database.run("INSERT INTO admin.merge_summary (merge_start, status) VALUES (now(), 'RUNNING')")
      let dead = try await database.call("control", "2", "--pause")
      #expect(dead.status == 73 && dead.errors.contains("the process of run 2 is gone"))
      #expect(try database.count("SELECT count(*) FROM admin.merge_controls") == 0)
      let wrong = [
        [], ["--pause", "--resume"], ["--stop", "--pause"], ["--workers", "0"], ["--max-rows-per-second", "-1"],
      ]
      for arguments in wrong {
        #expect(try await database.call("control", "2", arguments: arguments).status == 64, "\(arguments)")
      }
    }
  }

  @Test func `--pause-while pauses for as long as its answer is true`() async throws {
    try await withRows(1000) { database in
      try database.run("CREATE TABLE public.load (busy boolean); INSERT INTO public.load VALUES (true)")
      let merge = try database.launch(["--pause-while", "SELECT busy FROM public.load;", "--json"])
      try await database.wait(
        for: "EXISTS (SELECT FROM admin.merge_summary WHERE paused_because = '--pause-while is true')"
      )
      try await Task.sleep(for: .seconds(1))
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
      try database.run("UPDATE public.load SET busy = NULL")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["read"].integer == 1000)
    }
  }

  @Test func `who may not write the admin tables steers nothing`() async throws {
    try await withRows(1000) { database in
      let merge = try database.launch(["--batch", "100", "--max-rows-per-second", "20"])
      try await database.wait(for: Self.hasBegun)
      let role = "onlooker_\(database.name.suffix(8))"
      try database.run(
        "CREATE ROLE \(role) LOGIN; GRANT USAGE ON SCHEMA admin TO \(role); GRANT SELECT ON ALL TABLES IN SCHEMA admin TO \(role)"
      )
      for request in [["--pause"], ["--stop"], ["--workers", "1"]] {
        let refused = try await CommandLineProgram.run(
          ["control", "1", "--database", database.connectionString(role: role)] + request
        )
        #expect(refused.status == 73 && refused.errors.contains("merge_controls"), "\(refused.everything)")
      }
      #expect(try database.count("SELECT count(*) FROM admin.merge_controls") == 0)
      merge.send(2)
      #expect(try await merge.outcome().status == 130)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `--pause-while that is not answered pauses, and says why; NULL does not, and is mentioned`() async throws {
    try await withRows(100) { database in
      try database.run("CREATE TABLE public.load (busy boolean)")
      let holder = try database.connect()
      try holder.run("BEGIN; LOCK TABLE public.load")
      let merge = try database.launch(["--pause-while", "SELECT busy FROM public.load"])
      try await database.wait(
        for: "EXISTS (SELECT FROM admin.merge_summary WHERE paused_because LIKE '--pause-while did not return%')"
      )
      try holder.run("COMMIT")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let null = try await database.call("merge", "--again", "--pause-while", "SELECT busy FROM public.load")
      #expect(null.status == 0 && null.errors.contains("--pause-while returned NULL"), "\(null.transcript)")
    }
  }

  @Test(arguments: [
    "SELECT 1", "SELECT nothing FROM nowhere", "true; DROP TABLE production.t", "SELECT true, false", "",
  ])
  func `SQL for --pause-while that is no boolean question is refused before anything is written`(_ sql: String)
    async throws
  {
    try await withRows(10) { database in
      let before = try database.contents()
      let outcome = try await database.call("--pause-while", sql)
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains("--pause-while must be a query that returns one boolean"))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a question that fails later ends the run, and says so`() async throws {
    try await withRows { database in
      try database.run("CREATE TABLE public.load (busy boolean)")
      let merge = try database.launch([
        "--pause-while", "SELECT busy FROM public.load", "--batch", "100", "--max-rows-per-second", "100",
      ])
      try await database.wait(for: Self.hasBegun)
      try database.run("DROP TABLE public.load")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.errors.contains("asking --pause-while") && outcome.errors.contains("42P01"))
      #expect(try database.runStatuses() == "FAILED")
    }
  }

  @Test func `--window pauses outside, and is refused where it is none`() async throws {
    try await withRows(100) { database in
      let now = Calendar(identifier: .gregorian).dateComponents([.hour], from: .now).hour ?? 0
      func hour(_ offset: Int) -> String { String(format: "%02d:00", (now + offset) % 24) }
      let merge = try database.launch(["--window", "\(hour(3))-\(hour(5))"])
      try await database.wait(
        for: "EXISTS (SELECT FROM admin.merge_summary WHERE paused_because LIKE 'outside --window%')"
      )
      #expect(try database.count("SELECT count(*) FROM production.t") == 0)
      merge.send(2)
      #expect(try await merge.outcome().status == 130)
      #expect(try await database.call("--window", "\(hour(22))-\(hour(2))").status == 0)
      for wrong in ["22-5", "22:00", "25:00-03:00", "05:00-05:00", "22:00-05:00-06:00"] {
        let outcome = try await database.call("--window", wrong)
        #expect(outcome.status == 64 && outcome.errors.contains("--window \(wrong)"))
      }
      #expect(try await database.call("--atomic", "--window", "22:00-05:00").status == 64)
    }
  }
}
