import Foundation
import TestSupport
import Testing

/// A password that was put in the wrong place is repeated nowhere.
@Suite struct SecretTests {
  @Test(arguments: [
    ["merge", "postgresql://u:s3cret@h/d"], ["postgresql://u:s3cret@h/d"], ["plan", "host=h", "password=s3cret"],
    ["merge", "s3cret"], ["status", "s3cret", "more"], ["errors", "s3cret"], ["--password", "s3cret"],
    ["--password=s3cret"], ["--passwords3cret"], ["-ps3cret"], ["-W", "s3cret"], ["-Ws3cret"],
    ["--databse=postgresql://u:s3cret@h/d"], ["--batch", "postgresql://u:s3cret@h/d"],
    ["--ties=postgresql://u:s3cret@h/d"], ["--json=postgresql://u:s3cret@h/d"],
    ["--config", "postgresql://u:s3cret@h/d"], ["report", "postgresql://u:s3cret@h/d"],
    ["dms", "lint", "postgresql://u:s3cret@h/d"], ["--postgresql://u:s3cret@h/d"],
    ["--database", "host=h", "dbname=d", "password = s3cret"], ["--database", "h", "password=s3cret"],
    ["dms", "mappings", "--from", "postgresql://u:s3cret@h/d", "--to", "2025-01-01", "--table", "t"],
  ])
  func `no message about an argument shows it`(arguments: [String]) async throws {
    for more in [[], ["--json"], ["--log-format", "json"]] {
      let outcome = try await CommandLineProgram.run(arguments + more)
      #expect(outcome.status == 64 || outcome.status == 78, "\(outcome.transcript)")
      #expect(!outcome.everything.contains("s3cret"), "\(outcome.transcript)")
      #expect(!outcome.errors.isEmpty)
    }
  }

  @Test(arguments: [
    "database: postgresql://u:s3cret@h/d\n  batch: [", "database: \"postgresql://u:s3cret@h/d",
    "database postgresql://u:s3cret@h/d",
    "postgresql://u:s3cret@h/d: x", "postgresql://u:s3cret@h/d:", "- postgresql://u:s3cret@h/d",
    "database:\n\tpassword: s3cret",
    "mark: postgresql://u:s3cret@h/d", "database: &a *s3cret", "batch: postgresql://u:s3cret@h/d",
    "tables: {'postgresql://u:s3cret@h/d': 3}", "database: postgresql://u:s3cret@h/d\ndatabase: x",
    "{database: 'u:s3cret@h'",
    "database: !!s3cret [", "password: s3cret", "database: {url: s3cret}", "database: postgresql://u:pa: s3cret@h/d",
  ])
  func `no message about the file shows its line`(text: String) async throws {
    let outcome = try await CommandLineProgram.run(["status"], files: ["merge-engine.yaml": text + "\n"])
    #expect(outcome.status == 78, "\(outcome.transcript)")
    #expect(outcome.errors.hasPrefix("merge-engine: merge-engine.yaml:"), "\(outcome.transcript)")
    #expect(!outcome.everything.contains("s3cret"), "\(outcome.transcript)")
  }

  @Test func `a merge by a superuser is warned of the owners whose code it runs`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(!(try await database.call("plan").output).contains("superuser"))
      let owner = "owner_\(database.name)"
      try database.run("CREATE ROLE \(owner); ALTER TABLE production.orders OWNER TO \(owner)")
      let warning = "the owners of these tables could do anything as a superuser: production.orders (\(owner))"
      #expect(try await database.call("plan").output.contains(warning))
      #expect(try await database.call().errors.contains(warning))
      try database.run("DROP OWNED BY \(owner) CASCADE; DROP ROLE \(owner)")
    }
  }

  @Test func `a connection string in the place of a file or of a name is not repeated`() async throws {
    try await TestDatabase.with { database in
      let columns = "id int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: "id int, updated_at int")
      let uri = "postgresql://u:s3cr3t@h/db"
      let file = try await database.call("merge", "--report", uri)
      let names = [
        ["plan", "--staging-schema", uri], ["merge", "--production-schema=\(uri)"],
        ["status", "--pair", "\(uri)?sslmode=disable"],
        ["plan", "--pair", "staging=\(uri)"], ["verify", "--table", uri], ["snapshot", "save", uri],
        ["cleanup", "--archive", uri], ["init", "--print-grants", uri],
        ["plan", "--table", "postgresql:///d?password=s3cr3t"],
        ["plan", "--admin-schema", "host=h password=s3cr3t"],
      ]
      for arguments in names {
        let outcome = try await database.call(arguments[0], arguments: Array(arguments.dropFirst()))
        #expect(outcome.status == 64, "\(outcome.transcript)")
        #expect(!outcome.transcript.contains("s3cr3t"), "\(outcome.errors)")
      }
      for text in [
        "staging_schema: \"\(uri)\"", "include: [\"\(uri)\"]", "tables: {t: {staging_table: \"\(uri)\"}}",
        "pairs: [\"a=\(uri)\"]",
      ] {
        let outcome = try await database.call("plan", "--config", "own.yaml", files: ["own.yaml": text])
        #expect(outcome.status == 78, "\(outcome.transcript)")
        #expect(!outcome.transcript.contains("s3cr3t"), "\(outcome.errors)")
      }
      let name = try await database.call(
        "merge",
        "--config",
        "own.yaml",
        files: ["own.yaml": "tables: {t: {version_column: \"\(uri)\"}}"]
      )
      for (outcome, status) in [(file, 64), (name, 78)] {
        #expect(outcome.status == status, "\(outcome.transcript)")
        #expect(!outcome.transcript.contains("s3cr3t"), "\(outcome.errors)")
      }
    }
  }
}
