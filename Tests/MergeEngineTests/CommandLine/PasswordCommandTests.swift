import Foundation
import Libpq
import TestSupport
import Testing

@testable import merge_engine

/// `--password-command`: a password for every new connection, from a command.
@Suite struct PasswordCommandTests {
  /// A folder for what a command leaves, with the address of a database that wants a password.
  private static func with(
    _ body: (_ database: TestDatabase, _ url: String, _ folder: URL) async throws -> Void
  ) async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 200, customerCount: 50)
      let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let port = try await TestServer.shared().port
      let url = "host=127.0.0.1 port=\(port) user=postgres dbname=\(database.name) sslmode=disable"
      try await body(database, url, folder)
    }
  }

  private static let environment = ["SECRET": TestServer.password]
  private static let tellsSecret = #"printf '%s\nand more\n' "$SECRET""#

  @Test func `every connection asks for its own password, and the command sees none that is there`() async throws {
    try await Self.with { _, url, folder in
      let outcome = try await CommandLineProgram.run(
        [
          "--database", url, "--workers", "2", "--json", "--password-command",
          "env >> \(folder.path)/seen; echo >> \(folder.path)/calls; \(Self.tellsSecret)",
        ],
        environment: Self.environment.merging(["DATABASE_URL": "host=elsewhere", "PGPASSWORD": "w0ng"]) { $1 }
      )
      #expect(outcome.status == 0, "\(outcome.everything)")
      #expect(try outcome.json()["totals"]["read"].integer == 250)
      #expect(!outcome.everything.contains("pa55"))
      let calls = try String(contentsOf: folder.appending(path: "calls"), encoding: .utf8)
      #expect(calls.count >= 3)
      let seen = try String(contentsOf: folder.appending(path: "seen"), encoding: .utf8)
      #expect(!seen.contains("DATABASE_URL") && !seen.contains("PGPASSWORD"))
    }
  }

  @Test func `the file may name the command, word by word, for both sides`() async throws {
    try await Self.with { _, url, _ in
      let outcome = try await CommandLineProgram.run(
        ["plan", "--database", url, "--json", "--config", "own.yaml"],
        environment: Self.environment,
        files: [
          "own.yaml": """
          password_command: [printenv, SECRET]
          staging_database: "\(url)"
          staging_password_command: [printenv, SECRET]
          """
        ]
      )
      #expect(outcome.status == 0, "\(outcome.everything)")
      #expect(try outcome.json()["totals"]["read"].integer == 250)
    }
  }

  @Test func `a login that is refused asks once more, for a token that has expired meanwhile`() async throws {
    try await Self.with { _, url, folder in
      let calls = "\(folder.path)/calls"
      let outcome = try await CommandLineProgram.run(
        [
          "status", "--database", url, "--password-command",
          "if [ -e \(calls) ]; then \(Self.tellsSecret); else echo w0ng; fi; echo >> \(calls)",
        ],
        environment: Self.environment
      )
      #expect(outcome.status == 0, "\(outcome.everything)")
    }
  }

  @Test func `a token that has expired in the middle of a run is asked for once more, and the run goes on`()
    async throws
  {
    try await Self.with { database, url, folder in
      let expired = folder.appending(path: "expired")
      let merge = try CommandLineProgram(
        [
          "merge", "--database", url, "--workers", "1", "--max-rows-per-second", "10", "--json", "--password-command",
          "if rm \(expired.path) 2>/dev/null; then echo w0ng; else \(Self.tellsSecret); fi",
        ],
        environment: Self.environment
      )
      let workers =
        "pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'merge-engine run % worker%'"
      try await database.wait(for: "EXISTS (SELECT FROM \(workers))")
      try Data().write(to: expired)
      try database.run("SELECT pg_terminate_backend(pid) FROM \(workers)")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0, "\(outcome.everything)")
      #expect(try outcome.json()["totals"]["read"].integer == 250)
      #expect(!FileManager.default.fileExists(atPath: expired.path))
    }
  }

  @Test func `an agent that the command leaves behind is not waited for`() async throws {
    try await Self.with { _, url, _ in
      let outcome = try await CommandLineProgram.run(
        ["status", "--database", url, "--password-command", "sleep 40 >/dev/null 2>&1 & \(Self.tellsSecret)"],
        environment: Self.environment
      )
      #expect(outcome.status == 0, "\(outcome.everything)")
    }
  }

  @Test func `a login that stays refused asks twice, and no more`() async throws {
    try await Self.with { _, url, folder in
      let outcome = try await CommandLineProgram.run(
        ["--database", url, "--password-command", "echo >> \(folder.path)/calls; echo w0ng"]
      )
      #expect(outcome.status == 69)
      #expect(outcome.errors.contains("password authentication failed"))
      #expect(!outcome.everything.contains("w0ng"))
      #expect(try String(contentsOf: folder.appending(path: "calls"), encoding: .utf8) == "\n\n")
    }
  }

  @Test func `the AWS command's tokens for RDS are shown to the server, and to nobody else`() async throws {
    try await Self.with { _, url, _ in
      let outcome = try await CommandLineProgram.run(
        [
          "status", "--database", url, "--password-command",
          "aws rds generate-db-auth-token --hostname db.example --port 5432 --username merger --region eu-central-1",
        ],
        environment: ["AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"]
      )
      // This server takes no tokens.
      #expect(outcome.status == 69)
      #expect(outcome.errors.contains("password authentication failed"), "\(outcome.errors)")
      #expect(!outcome.everything.contains("X-Amz-"))
    }
  }

  @Test(arguments: [
    ("echo no token today >&2; exit 3", "the command of --password-command ended with status 3: no token today"),
    ("true", "the command of --password-command printed no password on its first line"),
    ("echo; echo late", "the command of --password-command printed no password on its first line"),
    ("/nowhere/at-all", "the command of --password-command ended with status 127"),
  ])
  func `a command that gives no password is named, and ends with 69`(command: String, says: String) async throws {
    try await Self.with { _, url, _ in
      let outcome = try await CommandLineProgram.run(["status", "--database", url, "--password-command", command])
      #expect(outcome.status == 69)
      #expect(outcome.errors.contains(says), "\(outcome.errors)")
      #expect(outcome.errors.contains("Run the command by hand"), "\(outcome.errors)")
      #expect(!outcome.everything.contains("late"))
    }
  }

  @Test func `a login without a password says so, and not that the server is gone`() async throws {
    try await Self.with { _, url, _ in
      let outcome = try await CommandLineProgram.run(["status", "--database", url])
      #expect(outcome.status == 69)
      #expect(outcome.errors.contains("Check user and password"), "\(outcome.errors)")
    }
  }

  @Test func `a command that hangs is ended after its time, with all that it has started`() async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "merge-engine-hang-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var command = try #require(
      try PasswordCommand(typed: "sleep 1000 & echo $! > \(path); sleep 1000", words: nil, option: "password-command")
    )
    command.timeLimitSeconds = 0.5
    let source = command.source
    let error = await #expect(throws: PostgresError.self) { try await onItsOwnThread { _ = try source() } }
    #expect(error?.message.contains("did not end within") == true, "\(String(describing: error))")
    let child = try #require(pid_t(try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)))
    // Gone, or about to be taken away by whoever inherits it. A signal takes effect when the process gets its turn.
    try await eventually("the end of what the command has started") {
      let state = try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)
      return state?.contains(") Z ") ?? true ? () : nil
    }
  }

  @Test func `an empty command is wrong usage, and in the file the file's mistake`() async throws {
    let file = try await CommandLineProgram.run(
      ["status", "--database", "host=x", "--config", "own.yaml"],
      files: ["own.yaml": "staging_password_command: []"]
    )
    #expect(file.status == 78 && file.errors.contains("staging_password_command is empty"), "\(file.everything)")
    let outcome = try await CommandLineProgram.run(["status", "--database", "host=x", "--password-command", ""])
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("--password-command is empty"))
  }
}
