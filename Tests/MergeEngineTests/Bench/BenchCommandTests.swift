import Foundation
import Testing

/// `merge-engine bench` as it is typed.
@Suite(.serialized) struct BenchCommandTests {
  @Test func `without a database a private server is measured, and table, JSON and page agree`() async throws {
    try await withFolder { folder async throws in
      let outcome = try await CommandLineProgram.run([
        "bench", "--rows", "1000", "--repeat", "1", "--workload", "reload", "--contender", "guide", "--contender",
        "floor",
        "--contender", "2 workers", "--json", "--html", "\(folder)/bench.html",
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
      let html = try String(contentsOfFile: "\(folder)/bench.html", encoding: .utf8)
      let page = try await Chromium.open(html)
      #expect(page.text.contains("engine, 2 workers, no marks"))
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
    (["--time-limit", "0"], "--time-limit is 0"), (["--batch", "0"], "--batch is 0"),
  ])
  func `wrong usage is told before a server is asked`(arguments: [String], word: String) async throws {
    let outcome = try await CommandLineProgram.run(["bench"] + arguments)
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains(word), "\(outcome.errors)")
    #expect(outcome.output == "")
  }

  @Test func `a page that can't be written is told before anything is measured`() async throws {
    let outcome = try await CommandLineProgram.run(["bench", "--html", "/nowhere/bench.html"])
    #expect(outcome.status == 73)
    #expect(outcome.errors.contains("/nowhere/bench.html"))
  }

  @Test func `a role that may not create databases is told what to do`() async throws {
    try await ScratchDatabase.with { database async throws in
      let role = "bench_\(UUID().uuidString.prefix(8).lowercased())"
      try database.execute("CREATE ROLE \(role) LOGIN")
      let outcome = try await CommandLineProgram.run(
        ["bench", "--rows", "1000"],
        environment: ["DATABASE_URL": database.connectionString(role: role)]
      )
      try database.execute("DROP ROLE \(role)")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("CREATEDB"), "\(outcome.errors)")
    }
  }
}
