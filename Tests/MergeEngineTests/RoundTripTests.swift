import Foundation
import Libpq
import PrivateCluster
import TestSupport
import Testing

/// What a merge of few rows costs in trips to the server: each line of its log is one.
@Suite struct RoundTripTests {
  /// A new check is to be asked for together with its neighbours; what a table costs is paid for each of hundreds.
  @Test func `a merge of ten rows sends no more statements than it needs`() async throws {
    try await TestServer.withOwn(settings: ["log_statement": "all"]) { cluster in
      let database = cluster.connectionString()
      let connection = try Connection(to: ConnectionTarget(database), applicationName: "round trips") { _ in }
      func load(_ first: Int) throws {
        try connection.execute(
          "INSERT INTO staging.t SELECT n, 'v' || n, 1 FROM generate_series(\(first), \(first + 9)) AS n",
          "loading"
        )
      }
      try connection.execute(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (id integer PRIMARY KEY, v text, updated_at integer);
        CREATE SCHEMA staging; CREATE TABLE staging.t (id integer, v text, updated_at integer)
        """,
        "making the tables"
      )
      try load(1)
      // The first run makes the admin schema.
      for first in [11, 21] {
        let merge = try CommandLineProgram(["--quiet", "--workers", "1"], environment: ["DATABASE_URL": database])
        #expect(try await merge.outcome().status == 0)
        try load(first)
      }
      let earlier = try statements(cluster).count
      let merge = try CommandLineProgram(["--quiet", "--workers", "1"], environment: ["DATABASE_URL": database])
      #expect(try await merge.outcome().status == 0)
      let sent = try statements(cluster)[earlier...]
      let setUp = sent.prefix { !$0.contains("COPY (SELECT s.ctid") }
      #expect(sent.count > setUp.count && sent.count <= 76, "\(sent.joined(separator: "\n"))")
      #expect(setUp.count <= 49, "\(setUp.joined(separator: "\n"))")
    }
  }

  private func statements(_ cluster: PrivateCluster) throws -> [Substring] {
    try String(contentsOfFile: cluster.logFile, encoding: .utf8).split(separator: "\n")
      .filter { $0.contains("LOG:  statement:") || $0.contains("LOG:  execute ") }
  }
}
