import Foundation
import Libpq
import PrivateCluster
import TestSupport
import Testing

/// `merge-engine bench` as it is typed.
@Suite(.serialized) struct BenchCommandTests {
  @Test func `without a database a private server is measured, and table, JSON and page agree`() async throws {
    try await withFolder { folder async throws in
      let outcome = try await CommandLineProgram.run([
        "bench", "--rows", "1000", "--repeat", "1", "--workload", "reload", "--contender", "guide", "--contender",
        "floor", "--contender", "2 workers", "--seed", "11", "--label", "commit <1>", "--json", "--html",
        "\(folder)/bench.html", "--text", "\(folder)/bench.txt",
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let report = try outcome.json()
      #expect(report["rows"].integer == 1000)
      let workload = try #require(report["workloads"].elements.first)
      #expect(workload["workload"].text == "reload")
      #expect(workload["staging_rows"].integer == 1000)
      #expect(workload["production_rows"].integer == 4000)
      let guide = try #require(workload["contenders"].elements.first { $0["name"].text == "guide" })
      #expect(guide["times_guide"].integer == 1)
      #expect(guide["right"] == .bool(true))
      #expect(guide["measurements"].elements.count == 1)
      let parameters = report["parameters"]
      #expect(parameters["label"].text == "commit <1>")
      #expect(parameters["batch"].integer == 50_000)
      #expect(parameters["repetitions"].integer == 1)
      #expect(parameters["seed"].integer == 11)
      let cores = ProcessInfo.processInfo.processorCount
      #expect(parameters["connections"].integer == 2 * cores)
      let command = """
        merge-engine bench --rows 1000 --workload reload --contender 'guide' --contender 'floor' --contender '2 workers' \
        --repeat 1 --time-limit 17 --connections \(2 * cores) --batch 50000 --seed 11
        """
      #expect(parameters["command"].text == command)
      #expect(
        report["server"]["settings"].keys.isSuperset(of: [
          "jit", "synchronous_commit", "max_parallel_workers_per_gather", "effective_cache_size", "checkpoint_timeout",
          "wal_compression",
        ])
      )
      #expect(report["machine"]["cores"].integer == cores)
      let text = try String(contentsOfFile: "\(folder)/bench.txt", encoding: .utf8)
      for part in [command, "commit <1>", "engine, 2 workers, marks", "jit = off"] { #expect(text.contains(part)) }
      let html = try String(contentsOfFile: "\(folder)/bench.html", encoding: .utf8)
      let page = try await Chromium.open(html)
      for part in [command, "commit <1>", "engine, 2 workers, marks"] { #expect(page.text.contains(part)) }
      #expect(page.requests == [])
      #expect(page.unnamed == [])
      #expect(page.sectionsWithoutTable == [])
      #expect(page.overflowPixels == 0)
      #expect(page.lowestContrast >= 4.5, "\(page.faintestText)")
    }
  }

  @Test(arguments: [
    (["--rows", "0"], "--rows is 0"), (["--repeat", "0"], "--repeat is 0"), (["--workload", "none"], "workload"),
    (["--table", "orders"], "--table"), (["--connections", "65"], "--connections is 65"),
    (["--contender", "xyz"], "There are: engine, 1 worker; engine, 2 workers;"),
    (["--contender", "guide", "--contender", "xyz"], "no contender has xyz in its name"),
    (["--production-rows", "10"], "--production-rows is 10"),
    (["--time-limit", "0"], "--time-limit is 0"), (["--batch", "0"], "--batch is 0"),
  ])
  func `wrong usage is told before a server is asked`(arguments: [String], word: String) async throws {
    let outcome = try await CommandLineProgram.run(["bench"] + arguments)
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains(word), "\(outcome.errors)")
    #expect(outcome.output == "")
  }

  @Test func `a wrong answer ends with 70, and table and page say whose`() async throws {
    try await withFolder { folder async throws in
      try await TestServer.withOwn { cluster async throws in
        let outcome = try await benchOnChangedWorkload(
          cluster,
          "UPDATE production.orders SET amount = amount + 1 WHERE order_id = 1",
          ["--html", "\(folder)/bench.html"]
        )
        #expect(outcome.status == 70)
        #expect(outcome.output.contains(/floor, 2 connections +WRONG RESULT\n/))
        #expect(!outcome.output.contains(/engine, 2 workers +[0-9.]+ s/))
        let html = try String(contentsOfFile: "\(folder)/bench.html", encoding: .utf8)
        #expect(html.contains("floor, 2 connections</th><td class=\"n\">wrong result</td>"))
      }
    }
  }

  @Test func `an engine that fails is an internal failure, told with its reason`() async throws {
    try await TestServer.withOwn { cluster async throws in
      let outcome = try await benchOnChangedWorkload(
        cluster,
        "ALTER TABLE production.orders ADD CHECK (amount < 0) NOT VALID",
        ["--contender", "engine"]
      )
      #expect(outcome.status == 70)
      #expect(outcome.errors.contains("the engine failed on a workload of bench: PARTIAL, 700 rows refused"))
    }
  }

  /// Runs bench, and changes what it has loaded once the first contender has its copy.
  private func benchOnChangedWorkload(
    _ cluster: PrivateCluster,
    _ change: String,
    _ arguments: [String]
  ) async throws -> CommandLineProgram.Outcome {
    func connect(_ database: String) throws -> Connection {
      try Connection(to: ConnectionTarget(cluster.connectionString(database: database)), applicationName: "test") { _ in
      }
    }
    let bench = try CommandLineProgram(
      ["bench", "--rows", "1000", "--repeat", "2", "--workload", "mixed"] + arguments,
      environment: ["DATABASE_URL": cluster.connectionString()]
    )
    let observer = try connect("postgres")
    var isCopied = false
    while !isCopied {
      isCopied =
        try observer.query(
          "SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'merge_engine_bench_run')",
          "waiting for the first copy"
        ).bool(0, 0) == true
    }
    try connect("merge_engine_bench_template").execute(.uncheckedFromServer(change), "changing the workload")
    return try await bench.outcome()
  }

  @Test func `a page that can't be written is told before anything is measured`() async throws {
    let outcome = try await CommandLineProgram.run(["bench", "--html", "/nowhere/bench.html"])
    #expect(outcome.status == 73)
    #expect(outcome.errors.contains("/nowhere/bench.html"))
  }

  @Test func `a role that may not create databases is told what to do`() async throws {
    try await TestDatabase.with { database async throws in
      let role = "bench_\(UUID().uuidString.prefix(8).lowercased())"
      try database.run("CREATE ROLE \(role) LOGIN")
      let outcome = try await CommandLineProgram.run(
        ["bench", "--rows", "1000"],
        environment: ["DATABASE_URL": database.connectionString(role: role)]
      )
      try database.run("DROP ROLE \(role)")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("CREATEDB"), "\(outcome.errors)")
    }
  }
}
