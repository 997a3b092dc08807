import Foundation
import Libpq
import TestSupport
import Testing

/// A pooler between: the client is told a process id that is not the session's, as PgBouncer does.
@Suite struct PoolerTests {
  @Test(arguments: [["plan"], ["merge"], ["init"], ["status"], ["verify"]])
  func `a session that belongs to a pooler is refused before anything is set in it`(words: [String]) async throws {
    try await TestServer.withOwn { cluster in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try database.run("ALTER SYSTEM SET log_statement = 'all'")
      try database.run("SELECT pg_reload_conf()")
      let proxy = try CuttingProxy(serverPort: cluster.port)
      defer { proxy.close() }
      proxy.disguiseBackends()
      let outcome = try await CommandLineProgram.run(
        words,
        environment: ["DATABASE_URL": TestServer.connectionString(through: proxy)]
      )
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains("pooler") && outcome.errors.contains("PgBouncer"))
      let log = try String(contentsOfFile: cluster.logFile, encoding: .utf8)
      #expect(log.contains("pg_backend_pid"))
      #expect(!log.contains("SET "), "\(log)")
    }
  }

  @Test func `a pooler that takes no startup options is known by that`() async throws {
    try await TestServer.withOwn { cluster in
      let proxy = try CuttingProxy(serverPort: cluster.port)
      defer { proxy.close() }
      proxy.refuseOptions()
      let string = TestServer.connectionString(through: proxy) + " options='-c work_mem=5MB'"
      let outcome = try await CommandLineProgram.run(["status"], environment: ["DATABASE_URL": string])
      #expect(outcome.status == 73, "\(outcome.transcript)")
      #expect(outcome.errors.contains("unsupported startup parameter: options") && outcome.errors.contains("PgBouncer"))
    }
  }
}
