import MergeEngine
import TestSupport
import Testing

/// The types of both sides: the guide's view, and what it can't see.
@Suite struct VerifyTypeTests {
  private func fill(_ database: TestDatabase) throws {
    try database.run(
      "CREATE DOMAIN percent AS int CHECK (VALUE <= 100); CREATE TYPE mood AS ENUM ('a'); CREATE TYPE tone AS ENUM ('a')"
    )
    try database.makePair(
      production: """
        k int PRIMARY KEY, a int, b varchar(9), c numeric(10,2), d numeric(10,2), e timestamp(3), f int[], g percent,
        h text NOT NULL, i mood, same text, lacks text, computed int GENERATED ALWAYS AS (k + 1) STORED, updated_at int
        """,
      staging: """
        k int PRIMARY KEY, a bigint, b varchar(8), c numeric(12,2), d numeric(10,4), e timestamp, f text[], g int, h text,
        i tone, same text, updated_at int, surplus text
        """
    )
  }

  @Test func `the view's four verdicts are told, and what it can't see`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      try database.run("INSERT INTO staging.t (k) VALUES (1)")
      // A staging column that production lacks stands against the comparison of rows, not of types.
      let report = try await database.verify()
      #expect(report.status == .blocked)
      #expect(
        report.types.map { "\($0.column) \($0.status)" } == [
          "a DATA TYPE MISMATCH", "b LENGTH MISMATCH", "c PRECISION MISMATCH", "d SCALE MISMATCH",
          "e MODIFIER MISMATCH",
          "f TYPE MISMATCH", "g DOMAIN", "h NULL ALLOWED", "i TYPE MISMATCH", "lacks MISSING IN STAGING",
          "surplus MISSING IN PRODUCTION",
        ]
      )
      #expect(report.types.filter(\.isSeenByView).map(\.column) == ["a", "b", "c", "d"])
      #expect(report.types.filter { !$0.isMismatch }.map(\.column) == ["g", "h"])
    }
  }

  @Test func `what is told of the view is what the view says`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      try database.run("ALTER TABLE staging.t DROP COLUMN surplus, DROP COLUMN i; UPDATE staging.t SET h = ''")
      try await database.merge()
      let report = try await database.verify()
      #expect(
        try database.rows("SELECT column_name, status FROM admin.oracle_pg_type_verification ORDER BY 1")
          == report.types.filter(\.isSeenByView).map { "(\($0.column),\"\($0.status)\")" }
      )
      // Types alone don't make a difference of rows.
      #expect(report.status == .nothingCompared)
    }
  }

  @Test func `a missing table blocks, and the others' types are told`() async throws {
    try await TestDatabase.with { database in
      try fill(database)
      let report = try await database.verify { $0.merge.tables = ["t", "gone"] }
      #expect(report.status == .blocked)
      #expect(report.findings.contains { $0.table == "gone" })
      #expect(!report.types.isEmpty)
    }
  }
}
