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

/// Strings that hold a password in a place where libpq or we could show it; parsing needs no server.
@Suite struct ConnectionTargetTests {
  @Test(arguments: [
    "S3CRET", "u:S3CRET@host", "mysql://u:S3CRET@host/db", "host=h password=S3CRET extra", "host=h password='S3CRET",
    "password=x S3CRET=y", "postgresql://u:%zzS3CRET@host/db", "postgresql://u:S3CRET", "postgresql://u:S3CRET/db",
    "postgresql://u:x@S3CRET@host/db", "postgresql://u:S3CRET@@host/db", "postgresql://u:x/S3CRET@host/db",
    "postgresql://u:S3CRET/x@host/db", "postgresql://u:12/S3CRET@host/db", "postgresql://u:x@S3C/S3CRET@host/db",
    "postgresql://u:x@\u{301}S3CRET@\u{301}host/db", "postgresql://u:x?S3CRET/y@host/db",
    "dbname=postgresql://u:S3CRET@host/db", "dbname='host=h password=S3CRET'", "host=u:S3CRET@host",
    "hostaddr=u:S3CRET@host", "host=h port=S3CRET", "postgres://u:x/S3CRET@host/db",
  ])
  func `a string that could not have been meant so is refused without being shown`(string: String) {
    let error = #expect(throws: PostgresError.self) { _ = try ConnectionTarget(string) }
    #expect(error?.origin == .connecting)
    #expect(error?.operation == "reading the connection string")
    var shown = ""
    dump(error, to: &shown)
    #expect(!shown.contains("S3CRET") && error.map { !"\($0)".contains("S3CRET") } == true)
  }

  @Test(arguments: [
    ("postgresql://u:p@db.example:5433/shop", "database shop on db.example:5433"),
    ("postgres://db.example", "the default database on db.example"),
    ("postgresql://u:p@db.example/a%40b", "database a@b on db.example"),
    ("postgresql://u@db.example/shop?application_name=a@b", "database shop on db.example"),
    ("postgresql://%2Frun%2Fpg/shop", "database shop on /run/pg"),
    ("postgresql://a:1,b:2/shop", "database shop on a,b:1,2"),
    ("host=db.example dbname=shop user=u", "database shop on db.example"),
    ("hostaddr=127.0.0.1", "the default database on 127.0.0.1"),
    ("service=production", "the default database on service production"),
    ("dbname=a@b", "database a@b on the default host"),
    ("host=db.example password='x://y/z@v?w' dbname=shop", "database shop on db.example"),
    ("postgresql://u:x?y@db.example/shop", "database shop on db.example"),
    ("", "the default database on the default host"),
  ])
  func `is described by database, host and port`(string: String, description: String) throws {
    let target = try ConnectionTarget(string)
    #expect(target.description == description)
  }

  @Test func `knows whether the string holds a password, and keeps it to itself`() throws {
    for string in ["host=h password=S3CRET", "postgresql://u:S3CRET@h/d", "postgresql://h/d?password=S3CRET"] {
      let target = try ConnectionTarget(string)
      #expect(target.holdsPassword)
      var shown = "\(target) \(String(reflecting: target))"
      dump(target, to: &shown)
      #expect(!shown.contains("S3CRET"))
    }
    #expect(try !ConnectionTarget("host=h").holdsPassword)
    #expect(try !ConnectionTarget(nil).holdsPassword)
    #expect(try ConnectionTarget(nil).description == "the database of libpq's environment")
  }
}

/// Neither the error nor the target shows the password, in whatever way it is printed.
private func expectNoSecret(_ error: PostgresError, _ target: ConnectionTarget) {
  var shown = "\(error) \(target) \(String(reflecting: error)) \(String(reflecting: target)) \(error.message)"
  dump(error, to: &shown)
  dump(target, to: &shown)
  #expect(!shown.contains("S3CRET"))
}
