import MergeEngine
import TestSupport
import Testing

/// A table that can't be merged is said to be so for its reason, and for none that follows from it or is made up.
@Suite struct OneReasonTests {
  @Test(arguments: [
    (
      "CREATE VIEW production.t AS SELECT 1 AS id, 1 AS updated_at", "is a view or a foreign table"
    ),
    (
      "CREATE MATERIALIZED VIEW production.t AS SELECT 1 AS id, 1 AS other", "is a view or a foreign table"
    ),
    (
      "CREATE TABLE production.t (id int PRIMARY KEY, updated_at int GENERATED ALWAYS AS (id) STORED)",
      "the version column updated_at of production.t is computed by the server"
    ),
    (
      "CREATE TABLE production.t (id int, k int GENERATED ALWAYS AS (id) STORED PRIMARY KEY, updated_at int)",
      "the key column k of production.t is computed by the server"
    ),
  ])
  func `one blocker for one reason`(production: String, reason: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; \(production);
        CREATE TABLE staging.t (id int, updated_at int); INSERT INTO staging.t VALUES (1, 1)
        """
      )
      let blockers = try await database.plan().findings.filter { $0.grade == .blocker }.map(\.message)
      #expect(blockers.count == 1 && blockers[0].contains(reason), "\(blockers)")
    }
  }

  @Test(arguments: [
    ("CREATE TABLE their.merge_logs (id serial PRIMARY KEY, run_id text)", "its column run_id is of type text"),
    (
      "CREATE TABLE their.merge_errors (id bigserial, owner text NOT NULL)",
      "its column owner is NOT NULL and has no default"
    ),
    ("CREATE TABLE their.merge_summary (id int PRIMARY KEY)", "its column id has no default"),
    (
      "CREATE TABLE their.merge_summary (id serial, status varchar(4))",
      "its column status is of type character varying(4)"
    ),
    ("CREATE VIEW their.merge_batches AS SELECT 1 AS id", "is a view"),
    ("CREATE MATERIALIZED VIEW their.merge_progress AS SELECT 1 AS id", "is a materialized view"),
    ("CREATE TABLE their.merge_summary (id serial, parameters json)", "its column parameters is of type json"),
  ])
  func `an admin schema that is somebody else's is told before, and the statement mends it`(
    table: String,
    reason: String
  )
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1); CREATE SCHEMA their; \(table)")
      let before = try database.contents()
      for command in ["plan", "merge", "init"] {
        let outcome = try await database.call(command, "--admin-schema", "their")
        #expect(outcome.status == 73, "\(command): \(outcome.transcript)")
        #expect(outcome.transcript.contains(reason), "\(command): \(outcome.transcript)")
      }
      #expect(try database.contents() == before)
      let plan = try await database.plan { $0.schemas.admin = "their" }
      let statement = try #require(plan.findings.first?.message.split(separator: "rename it: ").last)
      try database.run(String(statement))
      #expect(try await database.call("merge", "--admin-schema", "their").status == 0)
    }
  }
}
