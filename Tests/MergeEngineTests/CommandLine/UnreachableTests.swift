import TestSupport
import Testing

/// No database, or one that does not let us in.
@Suite struct UnreachableTests {
  @Test(arguments: [["merge"], ["init"], ["status"], ["--json"]])
  func `without a database it says where one can be named, and ends with 64`(arguments: [String]) async throws {
    let outcome = try await CommandLineProgram.run(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("no database given"))
    #expect(outcome.errors.contains("--database") && outcome.errors.contains("DATABASE_URL"))
    #expect(try outcome.hasNoResult(json: arguments.contains("--json")))
  }

  @Test func `an empty name is no database, typed or in the environment`() async throws {
    let typed = try await CommandLineProgram.run(["--database", ""])
    #expect(typed.status == 64)
    #expect(typed.errors.contains("no database given"))
    let inherited = try await CommandLineProgram.run([], environment: ["DATABASE_URL": ""])
    #expect(inherited.status == 64)
  }

  @Test(arguments: ["postgresql://127.0.0.1:1/shop", "host=/nowhere dbname=shop", "postgresql://no.such.invalid/shop"])
  func `a server that is not there is named with what libpq said, and ends with 69`(database: String) async throws {
    let outcome = try await CommandLineProgram.run(["--database", database, "--json"])
    #expect(outcome.status == 69)
    #expect(outcome.errors.contains("connecting to database shop on"))
    #expect(outcome.errors.contains("Check host and port"))
    #expect(try outcome.hasNoResult(json: true))
  }

  @Test func `a database that is not there ends with 69`() async throws {
    let cluster = try await TestServer.shared()
    let outcome = try await CommandLineProgram.run(["--database", cluster.connectionString(database: "nowhere")])
    #expect(outcome.status == 69)
    #expect(outcome.errors.contains(#"database "nowhere" does not exist"#))
  }

  @Test(arguments: ["merge", "init", "status"])
  func `a wrong password ends with 69 and is shown nowhere`(command: String) async throws {
    let cluster = try await TestServer.shared()
    let string = try #require(cluster.loopbackConnectionString(password: "w0ng-Secret"))
    let outcome = try await CommandLineProgram.run([command, "--database", string, "--json"])
    #expect(outcome.status == 69)
    #expect(outcome.errors.contains("password authentication failed"))
    #expect(!outcome.everything.contains("w0ng"))
  }

  @Test(arguments: [
    "pa@w0ng", "w0ng@Secret@x", "pa/w0ng", "pa@w0ng:x", "pa:w0ng/x@y", "pa?w0ng", "pa#w0ng", "pa%w0ng", "pa w0ng",
    "w0ng@/x", "1/w0ng", "pa[w0ng",
  ])
  func `a password that is not escaped in the URI is shown nowhere`(password: String) async throws {
    let cluster = try await TestServer.shared()
    let outcome = try await CommandLineProgram.run(
      [],
      environment: [
        "DATABASE_URL": "postgresql://postgres:\(password)@127.0.0.1:\(cluster.port)/postgres"
      ]
    )
    #expect([64, 69].contains(outcome.status))
    #expect(!outcome.everything.contains("w0ng"))
    #expect(outcome.errors.contains("merge-engine: "))
  }

  @Test func `the right password over TCP works, and stands neither in the output nor on record`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      let string = try #require(try await TestServer.shared().loopbackConnectionString(database: database.name))
      let outcome = try await CommandLineProgram.run(["--json"], environment: ["DATABASE_URL": string])
      #expect(outcome.status == 0)
      // A part without quotes, which is the same however the rest is escaped.
      #expect(!outcome.everything.contains("wörd") && TestServer.password.contains("wörd"))
      #expect(try !database.holds("SELECT m::text LIKE '%wörd%' FROM admin.merge_summary AS m"))
    }
  }

  @Test func `a password on the command line is warned of, since others can see it`() async throws {
    let cluster = try await TestServer.shared()
    let string = try #require(cluster.loopbackConnectionString())
    let outcome = try await CommandLineProgram.run(["status", "--database", string])
    #expect(outcome.status == 0)
    #expect(outcome.errors.contains("password on the command line"))
    #expect(!outcome.everything.contains("wörd"))
  }

  @Test(arguments: ["shop", "postgresql://host:port:x/", "host=", "dbname=shop nonsense=1"])
  func `a connection string that is none ends with 64 or 69 and a message`(database: String) async throws {
    let outcome = try await CommandLineProgram.run(["--database", database])
    #expect([64, 69].contains(outcome.status))
    #expect(outcome.errors.contains("merge-engine: "))
  }
}
