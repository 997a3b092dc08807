import Foundation
import TestSupport
import Testing

/// `demo --keep` and `demo --stop`.
@Suite struct KeptDemoTests {
  @Test func `a machine without PostgreSQL is told what to install, and that is no bug`() async throws {
    let outcome = try await CommandLineProgram.run(["demo"], environment: ["MERGE_ENGINE_POSTGRES_BIN": "/not/there"])
    #expect(outcome.status == 73, "\(outcome.transcript)")
    #expect(outcome.errors.contains("apt-get install postgresql"))
  }

  @Test func `a kept demo can be worked with until it is stopped, and there is one at most`() async throws {
    let state = FileManager.default.temporaryDirectory.appending(path: "merge-engine-state-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: state) }
    var environment = ["XDG_STATE_HOME": state.path]
    // Where private servers keep their data, in memory perhaps, as for the other tests.
    environment["MERGE_ENGINE_CLUSTER_DIRECTORY"] =
      ProcessInfo.processInfo.environment["MERGE_ENGINE_CLUSTER_DIRECTORY"]
    environment["MERGE_ENGINE_POSTGRES_BIN"] = ProcessInfo.processInfo.environment["MERGE_ENGINE_POSTGRES_BIN"]
    func run(_ words: String...) async throws -> CommandLineProgram.Outcome {
      try await CommandLineProgram.run(words, environment: environment)
    }

    let none = try await run("demo", "--stop")
    #expect(none.status == 64)
    #expect(none.errors.contains("there is no demo to stop"))

    let demo = try await run("demo", "--keep")
    #expect(demo.status == 0, "\(demo.transcript)")
    let url = try #require(demo.output.firstMatch(of: /export DATABASE_URL='([^']+)'/)?.1)
    let tried = demo.output.matches(of: /\n +merge-engine ([^#\n]+)/).map {
      $0.1.split(separator: " ").map(String.init)
    }
    #expect(tried.count == 4)
    environment["DATABASE_URL"] = String(url)
    // What each is said to show; the last one is `demo --stop`.
    let statuses = [65, 0, 0]
    #expect(demo.output.contains("# exit status 65: ") && demo.output.contains("# exit status 0: "))
    for (words, status) in zip(tried.dropLast(), statuses) {
      let outcome = try await CommandLineProgram.run(words, environment: environment)
      #expect(outcome.status == status, "\(words): \(outcome.transcript)")
      if status == 65 { #expect(outcome.output.contains("ties differing"), "\(outcome.transcript)") }
    }

    let second = try await run("demo", "--keep")
    #expect(second.status == 64)
    #expect(second.errors.contains("merge-engine demo --stop"))

    #expect(tried.last == ["demo", "--stop"])
    let stopped = try await run("demo", "--stop")
    #expect(stopped.status == 0, "\(stopped.transcript)")
    let folder = try #require(url.firstMatch(of: /host=([^&]+)/)?.1)
    #expect(!FileManager.default.fileExists(atPath: String(folder)))
    #expect(try await run("status").status == 69)
    #expect(try await run("demo", "--stop").status == 64)
  }
}
