import Foundation
import Libpq
import MergeEngine
import PrivateCluster
import TestSupport
import Testing

/// What is waited for, and what is not.
@Suite struct PatienceTests {
  /// A server of its own behind a proxy, with 40 rows to merge.
  private func withProxy(_ body: (TestDatabase, PrivateCluster, CuttingProxy) async throws -> Void) async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try database.fill(40)
      let proxy = try CuttingProxy(serverPort: cluster.port)
      defer { proxy.close() }
      try await body(database, cluster, proxy)
    }
  }

  @Test(arguments: ["pg_constraint", "pg_try_advisory_lock", "merge_summary"])
  func `a connection that is lost while a merge is prepared is made again`(_ moment: String) async throws {
    try await withProxy { database, _, proxy in
      proxy.arm(.whenClientSends(moment))
      let outcome = try await CommandLineProgram.run(
        ["--json"],
        environment: ["DATABASE_URL": TestServer.connectionString(through: proxy)]
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(proxy.hasCut)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a login that is refused in the middle of a run is not tried again and again`() async throws {
    try await withProxy { database, _, proxy in
      try database.letBatchesWait()
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 1 FOR UPDATE")
      let merge = try CommandLineProgram(
        ["--max-lock-time", "60000"],
        environment: ["DATABASE_URL": TestServer.connectionString(through: proxy)]
      )
      try await database.waitForBlockedWorker()
      try database.run("ALTER ROLE postgres PASSWORD 'another'")
      let count = proxy.connectionCount
      let start = ContinuousClock.now
      proxy.cutAll()
      let outcome = try await merge.outcome()
      try cdc.run("COMMIT")
      #expect(outcome.status == 69 || outcome.status == 74, "\(outcome.transcript)")
      #expect(outcome.errors.contains("password authentication failed"))
      #expect(ContinuousClock.now - start < .seconds(30))
      // Each side of the run has one try: its record, and its workers.
      #expect(proxy.connectionCount - count <= 4, "\(proxy.connectionCount - count) tries")
    }
  }

  @Test func `what the server says at the login goes where everything else goes`() async throws {
    try await withProxy { database, _, _ in
      try database.run("UPDATE pg_database SET datcollversion = '0.1' WHERE datname = current_database()")
      let outcome = try await database.call("--json", "--log-format", "json", "--quiet")
      #expect(outcome.status == 0)
      for line in outcome.errors.split(separator: "\n") {
        #expect(throws: Never.self, "\(line)") { try JSONValue(text: String(line)) }
      }
      #expect(!outcome.errors.contains("WARNING"))
    }
  }

  @Test func `a password file that is not used is told of like everything else`() async throws {
    try await withProxy { database, _, _ in
      let merge = try database.launch(
        ["--log-format", "json"],
        environment: ["PGPASSFILE": "passwords"],
        files: ["passwords": "x"]
      )
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0)
      let lines = outcome.errors.split(separator: "\n").map { try? JSONValue(text: String($0)) }
      #expect(lines.allSatisfy { $0 != nil }, "\(outcome.errors)")
      #expect(
        outcome.errors.split(separator: "\n").count { $0.contains("the password file passwords is not used") } == 1
      )
    }
  }

  @Test func `a role that commits locally does not wait for a standby that is not there`() async throws {
    try await withProxy { database, _, _ in
      try database.run("ALTER ROLE postgres SET synchronous_commit = 'local'")
      try database.run("ALTER SYSTEM SET synchronous_standby_names = 'ghost'")
      try database.run("SELECT pg_reload_conf()")
      let outcome = try await database.call("--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      try database.expectEverythingMerged()
    }
  }

  @Test func `a commit that waits for a standby is told of, and one signal ends it`() async throws {
    try await withProxy { database, _, _ in
      try database.run("ALTER SYSTEM SET synchronous_standby_names = 'ghost'")
      try database.run("SELECT pg_reload_conf()")
      let merge = try database.launch([])
      for _ in 0..<600 where try !merge.errorsSoFar().contains("'ghost'); what it wrote") {
        try await Task.sleep(for: .milliseconds(50))
      }
      #expect(
        try merge.errorsSoFar().contains("commits wait for synchronous standbys (synchronous_standby_names = 'ghost')")
      )
      #expect(try merge.errorsSoFar().contains("the commit waits for synchronous standbys"))
      let start = ContinuousClock.now
      merge.send(SIGINT)
      let outcome = try await merge.outcome()
      #expect(outcome.status == 130, "\(outcome.transcript)")
      #expect(ContinuousClock.now - start < .seconds(25))
      try database.run("ALTER SYSTEM RESET synchronous_standby_names")
      try database.run("SELECT pg_reload_conf()")
      #expect(try await database.call().status == 0)
      try database.expectEverythingMerged()
    }
  }
}
