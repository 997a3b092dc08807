import Foundation
import Libpq
import PrivateCluster
import Testing

extension LibpqTests {
  /// A server that takes connections and never answers: its main process is stopped, the socket goes on listening.
  @Suite @DatabaseThread struct ConnectTimeoutTests {
    @Test func `connecting to a silent server ends when the string says`() async throws {
      let cluster = try await Server.cluster.value
      let target = try ConnectionTarget(cluster.connectionString() + " connect_timeout=2")
      try await Self.whileStopped(cluster) {
        let seconds = try secondsTaken {
          let error = try failure { _ = try Connection(to: target, applicationName: "waiting") { _ in } }
          #expect(error.origin == .connecting && error.message.contains("timeout expired"))
        }
        #expect(seconds < 10)
      }
      try await Server.connect().expectUsable()
    }

    @Test func `connecting to a silent server ends when the environment says`() async throws {
      let cluster = try await Server.cluster.value
      let string = cluster.connectionString()
      try await Self.whileStopped(cluster) {
        // In a process of its own: the environment belongs to all tests.
        await #expect(processExitsWith: .success) { [string = string as String] in
          unsafe setenv("PGCONNECT_TIMEOUT", "2", 1)
          let target = try ConnectionTarget(string)
          let seconds = try secondsTaken {
            _ = try failure { _ = try Connection(to: target, applicationName: "waiting") { _ in } }
          }
          try #require(seconds < 10)
        }
      }
      try await Server.connect().expectUsable()
    }

    private static func whileStopped(_ cluster: PrivateCluster, _ body: () async throws -> Void) async throws {
      let file = try String(contentsOfFile: cluster.dataDirectory + "/postmaster.pid", encoding: .utf8)
      let processID = try #require(file.split(separator: "\n").first.flatMap { pid_t($0) })
      #expect(kill(processID, SIGSTOP) == 0)
      defer { _ = kill(processID, SIGCONT) }
      try await body()
    }
  }
}
