import Foundation
import MergeEngine
import TestSupport
import Testing

/// Rows that are merged are read a second time where nobody can tell any more that they are, and that is said.
@Suite struct ReadingAgainTests {
  @Test(arguments: [false, true]) func `again reads everything, and the run after it nothing`(status: Bool) async throws
  {
    try await TestDatabase.withStagedRows(300, status: status) { database in
      try await database.merge()
      #expect(try await database.merge { $0.again = true }.totals.unchanged == 300)
      #expect(try await database.merge().totals.read == 0)
    }
  }

  @Test func `of staging that was restored everything is read a second time, and that is said`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      try database.run(
        "CREATE TABLE staging.copy AS TABLE staging.t; DROP TABLE staging.t CASCADE; ALTER TABLE staging.copy RENAME TO t"
      )
      let report = try await database.merge()
      #expect(report.totals.unchanged == 300)
      #expect(report.warnings.contains { $0.contains("read a second time") })
    }
  }

  @Test(arguments: [
    "ALTER TABLE staging.t ALTER COLUMN id TYPE bigint", "ALTER TABLE staging.t ADD COLUMN x float DEFAULT random()",
    "ALTER TABLE staging.t SET UNLOGGED", "ALTER TABLE staging.t ALTER COLUMN v TYPE varchar(9)",
    "ALTER TABLE staging.t ALTER COLUMN id TYPE bigint; GRANT SELECT ON staging.t TO public; VACUUM FULL staging.t",
  ])
  func `of merged staging that ALTER TABLE has rewritten it is said how many rows are read a second time`(
    statement: String
  ) async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      let node = try database.value("SELECT pg_relation_filenode('staging.t')")
      try database.run("ALTER TABLE production.t ADD COLUMN x float")
      for part in statement.split(separator: ";") { try database.run(String(part)) }
      try #require(try database.value("SELECT pg_relation_filenode('staging.t')") != node)
      try database.run("DELETE FROM production.t WHERE id <= 10")
      let said = try await database.plan().findings.map(\.message)
      #expect(said.contains { $0.contains("300 rows of staging.t were written by the statement") }, "\(said)")
      let report = try await database.merge()
      #expect(report.totals.inserted == 10, "that is what the warning is about")
      #expect(report.warnings.contains { $0.contains("read a second time") })
      #expect(try await !database.merge().warnings.contains { $0.contains("a second time") })
    }
  }

  @Test func `a load after TRUNCATE is new, and nothing is said of rows read before`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      try database.run("TRUNCATE staging.t")
      try database.run("INSERT INTO staging.t SELECT n, 'next', '2025-02-01' FROM generate_series(1, 300) AS n")
      let report = try await database.merge()
      #expect(report.totals.updated == 300)
      #expect(!report.warnings.contains { $0.contains("a second time") })
    }
  }

  @Test func `again says how many merged rows it reads`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      try database.run("INSERT INTO staging.t VALUES (1000, 'late', '2025-01-01')")
      let said = try await database.plan { $0.again = true }.findings.map(\.message)
      #expect(said.contains { $0.contains("300 rows of staging.t are merged already") }, "\(said)")
      let report = try await database.merge { $0.again = true }
      #expect(report.warnings.contains { $0.contains("300 rows of staging.t are merged already") })
    }
  }

  @Test func `of production that has left its place to a copy it is said how many rows are read a second time`()
    async throws
  {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      try database.run(
        """
        CREATE SCHEMA former; CREATE TABLE public.copy (LIKE production.t INCLUDING ALL);
        INSERT INTO public.copy SELECT * FROM production.t;
        ALTER TABLE production.t SET SCHEMA former;
        ALTER TABLE public.copy RENAME TO t; ALTER TABLE public.t SET SCHEMA production
        """
      )
      let report = try await database.merge()
      #expect(report.totals.unchanged == 300)
      #expect(
        report.warnings.contains { $0.contains("300 rows of staging.t merged earlier can't be told") },
        "\(report.warnings)"
      )
      #expect(try await !database.merge().warnings.contains { $0.contains("a second time") })
    }
  }

  @Test(arguments: ["TRUNCATE production.t", "DELETE FROM production.t"])
  func `production that has lost everything that was merged is told`(statement: String) async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      #expect(try await !database.plan().findings.contains { $0.kind == .productionEmpty })
      try database.run(statement)
      #expect(try await database.plan().findings.contains { $0.kind == .productionEmpty && $0.table == "t" })
      let report = try await database.merge()
      #expect(report.totals.read == 0)
      #expect(
        report.warnings.contains { $0.contains("production.t is empty") && $0.contains("--again") },
        "\(report.warnings)"
      )
      #expect(try await database.merge { $0.again = true }.totals.inserted == 300)
    }
  }

  @Test func `production that never got a row has lost none`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, v varchar(1), updated_at int",
        staging: "id int, v text, updated_at int"
      )
      try database.run("INSERT INTO staging.t SELECT n, 'long', 1 FROM generate_series(1, 5) AS n")
      #expect(try await database.merge().totals.errors == 5)
      #expect(try await !database.merge().warnings.contains { $0.contains("production.t is empty") })
      #expect(try await database.call("errors", "dismiss", "--reason", "x").status == 0)
      #expect(try await !database.merge().warnings.contains { $0.contains("production.t is empty") })
    }
  }

  @Test func `production without a log is told`() async throws {
    try await TestDatabase.withStagedRows(3) { database in
      try database.run("ALTER TABLE production.t SET UNLOGGED")
      #expect(try await database.plan().findings.contains { $0.kind == .unlogged })
      #expect(try await database.merge().warnings.contains { $0.contains("SET LOGGED") })
      try database.run(
        """
        DROP TABLE production.t; CREATE TABLE production.t (id int PRIMARY KEY, v text, updated_at timestamp) PARTITION BY RANGE (id);
        CREATE TABLE production.logged PARTITION OF production.t FOR VALUES FROM (0) TO (100);
        CREATE UNLOGGED TABLE production.other PARTITION OF production.t DEFAULT
        """
      )
      #expect(try await database.plan().findings.contains { $0.kind == .unlogged && $0.table == "t" })
      try database.run("ALTER TABLE production.other SET LOGGED")
      #expect(try await !database.plan().findings.contains { $0.kind == .unlogged })
    }
  }

  @Test func `staging that was renamed is the table that was merged`() async throws {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      try database.run("ALTER SCHEMA staging RENAME TO loaded")
      #expect(try await database.merge { $0.schemas.staging = "loaded" }.totals.read == 0)
    }
  }

  @Test func `of a database that was restored from a dump it is said how many rows are read a second time`()
    async throws
  {
    try await TestDatabase.withStagedRows(300) { database in
      try await database.merge()
      // Oids and transactions are new ones, and the ledger's rows are there.
      for schema in ["production", "staging"] {
        try database.run(
          """
          CREATE TABLE \(schema).copy (LIKE \(schema).t INCLUDING ALL); INSERT INTO \(schema).copy SELECT * FROM \(schema).t;
          DROP TABLE \(schema).t CASCADE; ALTER TABLE \(schema).copy RENAME TO t
          """
        )
      }
      let report = try await database.merge()
      #expect(report.totals.unchanged == 300)
      #expect(report.warnings.contains { $0.contains("300 rows of staging.t merged earlier can't be told") })
      #expect(try await !database.merge().warnings.contains { $0.contains("a second time") })
    }
  }

  @Test func `of staging in a database that was made anew it is said how many rows are read a second time`()
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, v text, updated_at int)"
      )
      try await TestDatabase.with { kept in
        for staging in ["kept", "first", "second"] {
          let warning: (TestDatabase) async throws -> String? = { place in
            try place.run(
              """
              CREATE SCHEMA staging; CREATE TABLE staging.t (id int, v text, updated_at int);
              INSERT INTO staging.t SELECT n, 'v', 1 FROM generate_series(1, 300) AS n
              """
            )
            let outcome = try await database.call(arguments: ["--staging-database", place.connectionString])
            #expect(outcome.status == 0, "\(outcome.transcript)")
            return outcome.transcript.split(separator: "\n").first { $0.contains("a second time") }.map(String.init)
          }
          if staging == "kept" {
            #expect(try await warning(kept) == nil)
          } else {
            try await TestDatabase.with { made in
              let said = try await warning(made)
              // Whose database is there still is another table; the first one's is gone when the second one is made.
              #expect(
                (said?.contains("300 rows of staging.t merged earlier can't be told") == true) == (staging == "second")
              )
            }
          }
        }
      }
    }
  }
}
