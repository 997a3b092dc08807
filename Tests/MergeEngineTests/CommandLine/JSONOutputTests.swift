import Foundation
import TestSupport
import Testing

/// With `--json` there is one object on stdout, as the documentation has it, whatever the exit status.
@Suite struct JSONOutputTests {
  private func schema() throws -> JSONSchema {
    let file = URL(filePath: #filePath).appending(
      path: "../../../../Sources/MergeEngine/MergeEngine.docc/output.schema.json"
    )
    return try JSONSchema(text: String(contentsOf: file.standardized, encoding: .utf8))
  }

  @Test func `what the commands print is as the schema says`() async throws {
    let schema = try schema()
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try await withFolder { folder async throws in
        try database.run(
          "ALTER TABLE production.customers ADD CHECK (customer_id % 7 <> 3) NOT VALID; CREATE TABLE staging.orphans (id int)"
        )
        let cases: [(arguments: [String], definition: String, status: Int32)] = [
          (["plan"], "plan", 0), (["snapshot", "save", "\(folder)/night"], "snapshot", 0),
          (["init"], "init", 0), (["--before-images"], "merge", 65), (["status"], "status", 65),
          (["verify"], "verify", 65),
          (["control", "1", "--pause"], "failure", 73),
          (["verify", "--output", "\(folder)/differences"], "verify", 65),
          // Of what it would mend there are rows that production refuses.
          (["repair", "\(folder)/differences", "--plan"], "repair", 65),
          (["repair", "\(folder)/differences"], "repair", 65),
          (["why", "customers", "3"], "why", 0),
          (["errors", "list"], "errors_list", 0), (["errors", "dismiss", "--reason", "known"], "errors_dismiss", 0),
          (["errors", "retry"], "errors_retry", 0), (["report", "--output", "\(folder)/run.html"], "report", 0),
          (["rollback", "1", "--plan"], "rollback", 0), (["--again", "--ties", "compare"], "merge", 65),
          (["replay", "\(folder)/night"], "merge", 65), (["cleanup", "--keep-task"], "cleanup", 65),
          (["--table", "orphans"], "failure", 73), (["plan", "--table", "orphans"], "plan", 73),
          (["verify", "--table", "nobody"], "verify", 73), (["--batch", "0"], "failure", 64),
          (["--no-such-option"], "failure", 64), (["report", "99"], "failure", 64),
          (["snapshot", "save", "\(folder)/night"], "failure", 73), (["--config", "\(folder)/none"], "failure", 78),
        ]
        for (arguments, definition, status) in cases {
          // Without a row in staging it would block nobody.
          if arguments.contains("orphans") { try database.run("INSERT INTO staging.orphans VALUES (1)") }
          let outcome = try await database.call(arguments: arguments + ["--json"])
          // What these two find depends on what the runs before them have left.
          if !["verify", "cleanup"].contains(definition) {
            #expect(outcome.status == status, "\(arguments): \(outcome.transcript)")
          }
          let json = try #require(try? outcome.json(), "\(arguments): \(outcome.transcript)")
          #expect(schema.faults(json, definition: definition) == [], "\(arguments): \(outcome.output)")
          if definition == "failure" { #expect(json["exit_status"].integer == Int(status), "\(arguments)") }
        }
        let info = try await CommandLineProgram.run(["snapshot", "info", "\(folder)/night", "--json"])
        #expect(schema.faults(try info.json(), definition: "snapshot") == [])
        try Data("1,name,a@example,new,2025-01-01,2025-01-01\n".utf8).write(to: URL(filePath: "\(folder)/c.csv"))
        let csv = try await database.call(
          "snapshot",
          "from-csv",
          "\(folder)/from-csv",
          "\(folder)/c.csv",
          "--table",
          "customers",
          "--json"
        )
        #expect(schema.faults(try csv.json(), definition: "from_csv") == [], "\(csv.transcript)")
        let lint = try await CommandLineProgram.run(["dms", "lint", "a.json", "--json"], files: ["a.json": "{}"])
        #expect(schema.faults(try lint.json(), definition: "lint") == [])
      }
    }
  }

  @Test func `a busy table and a server that is not there are objects, too`() async throws {
    let schema = try schema()
    let lost = try await CommandLineProgram.run(["plan", "--database", "postgresql://127.0.0.1:1/shop", "--json"])
    #expect(lost.status == 69)
    #expect(schema.faults(try lost.json(), definition: "failure") == [])
    #expect(try lost.json()["status"].text == "BLOCKED")
  }

  @Test func `the schema finds what is wrong`() throws {
    let schema = try JSONSchema(
      text:
        ##"{"$defs": {"a": {"type": "object", "properties": {"n": {"type": "integer"}, "l": {"items": {"$ref": "#/$defs/b"}}}, "required": ["n"]}, "b": {"enum": ["x"]}}}"##
    )
    #expect(schema.faults(try JSONValue(text: #"{"n": 1, "l": ["x"]}"#), definition: "a") == [])
    #expect(schema.faults(try JSONValue(text: #"{"n": 1.5, "l": ["y"]}"#), definition: "a").count == 2)
    #expect(schema.faults(try JSONValue(text: "{}"), definition: "a") == ["$.n: is missing"])
    #expect(schema.faults(try JSONValue(text: "{}"), definition: "c").count == 1)
  }
}
