import Foundation
import TestSupport
import Testing

/// Connection strings with several hosts, as failover clusters have them: libpq tries one after the other.
@Suite struct SeveralHostsTests {
  /// How a string names a dead server before the living one.
  enum Form: CaseIterable {
    case keywords, addresses, uri, socketAfterTCP, wantsPrimary
  }

  private func connectionString(_ form: Form, _ database: TestDatabase) async throws -> String {
    let cluster = try await TestServer.shared()
    let port = cluster.port
    let rest = "user=postgres dbname=\(database.name)"
    return switch form {
    case .keywords: "host=127.0.0.1,127.0.0.1 port=1,\(port) \(rest)"
    case .addresses: "hostaddr=127.0.0.1,127.0.0.1 port=1,\(port) \(rest)"
    case .uri: "postgresql://postgres@127.0.0.1:1,127.0.0.1:\(port)/\(database.name)"
    case .socketAfterTCP: "host='127.0.0.1,\(cluster.socketDirectory)' port=1,\(port) \(rest)"
    case .wantsPrimary:
      "postgresql://postgres@127.0.0.1:1,127.0.0.1:\(port)/\(database.name)?target_session_attrs=read-write"
    }
  }

  @Test(arguments: Form.allCases)
  func `the living server is found behind the dead one, by every connection of the run`(form: Form) async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 200, customerCount: 50)
      try database.expectGuideResult()
      let outcome = try await CommandLineProgram.run(
        ["--database", try await connectionString(form, database), "--workers", "3", "--json"],
        environment: ["PGPASSWORD": TestServer.password]
      )
      #expect(outcome.status == 0)
      #expect(outcome.errors == "")
      #expect(try outcome.json()["totals"]["read"].integer == 250)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `when all are dead it says so for each, and ends with 69`() async throws {
    let outcome = try await CommandLineProgram.run(["--database", "host=127.0.0.1,127.0.0.1 port=1,2 dbname=shop"])
    #expect(outcome.status == 69)
    #expect(outcome.errors.contains("port 1 failed") && outcome.errors.contains("port 2 failed"))
    #expect(!outcome.errors.contains("\n\n"))
  }

  @Test func `staging may be named the same way`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 200, customerCount: 50)
      try database.expectGuideResult()
      let outcome = try await database.call(
        "--staging-database",
        try await connectionString(.keywords, database),
        environment: ["PGPASSWORD": TestServer.password]
      )
      #expect(outcome.status == 0)
      #expect(try database.differencesFromExpected() == 0)
    }
  }
}
