import Foundation
import Libpq
import PrivateCluster
import Testing

extension LibpqTests {
  @Suite @DatabaseThread struct ConnectionFailureTests {
    @Test func `a wrong password is refused and not repeated`() async throws {
      let cluster = try await Server.cluster.value
      let string = try #require(cluster.loopbackConnectionString(password: "S3CRET"))
      let target = try ConnectionTarget(string)
      let error = try failure { _ = try Connection(to: target, applicationName: "wrong") { _ in } }
      #expect(error.origin == .connecting)
      #expect(error.message.contains("password authentication failed"))
      #expect(error.operation == "connecting to database postgres on 127.0.0.1:\(cluster.port)")
      expectNoSecret(error, target)
      try await Server.connect().expectUsable()
    }

    @Test(arguments: [
      "host=127.0.0.1 port=1 password=S3CRET", "postgresql://u:S3CRET@127.0.0.1:1/shop",
      "host=/nonexistent password=S3CRET", "postgresql://127.0.0.1:1/shop?password=S3CRET",
      "postgresql://u:S3CRET%23%3F@127.0.0.1:1", "host=127.0.0.1,127.0.0.1 port=1,2 password=S3CRET",
      "host=127.0.0.1 port=99999 password=S3CRET", "host=127.0.0.1 port=1 sslmode=S3CRET password=x sslmode=no",
      "host=127.0.0.1 port=1 sslpassword=S3CRET",
    ])
    func `an unreachable server is an error without the password`(string: String) throws {
      let target = try ConnectionTarget(string)
      let error = try failure { _ = try Connection(to: target, applicationName: "unreachable") { _ in } }
      #expect(error.origin == .connecting)
      #expect(!error.message.isEmpty && !error.message.contains("\n"))
      expectNoSecret(error, target)
    }

    @Test func `a database that does not exist is an error of connecting`() async throws {
      let cluster = try await Server.cluster.value
      let target = try ConnectionTarget(cluster.connectionString(database: "nowhere"))
      let error = try failure { _ = try Connection(to: target, applicationName: "nowhere") { _ in } }
      #expect(error.origin == .connecting && error.message.contains("\"nowhere\" does not exist"))
    }
  }
}

/// Neither the error nor the target shows the password, in whatever way it is printed.
private func expectNoSecret(_ error: PostgresError, _ target: ConnectionTarget) {
  var shown = "\(error) \(target) \(String(reflecting: error)) \(String(reflecting: target)) \(error.message)"
  dump(error, to: &shown)
  dump(target, to: &shown)
  #expect(!shown.contains("S3CRET"))
}
