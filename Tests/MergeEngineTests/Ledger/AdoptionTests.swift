import MergeEngine
import TestSupport
import Testing

/// Staging that somebody else has marked: PROCESSED counts as merged where the ledger knows nothing, and production is asked.
@Suite struct AdoptionTests {
  @Test func `marks of an earlier version are adopted, row by row`() async throws {
    try await TestDatabase.withStagedRows(300, status: true) { database in
      // Loaded and marked in one transaction, so that ids alone tell nothing.
      try database.run(
        "UPDATE staging.t SET _dms_processing_status = CASE WHEN id <= 200 THEN 'PROCESSED' ELSE 'NEW' END"
      )
      let report = try await database.merge()
      #expect(report.totals.read == 100)
      #expect(try await database.merge().totals.read == 0)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == 300)
    }
  }

  @Test(arguments: [
    "ALTER TABLE production.t RENAME TO was; CREATE TABLE production.t (LIKE was INCLUDING ALL)",
    "ALTER SCHEMA production RENAME TO was; CREATE SCHEMA production; CREATE TABLE production.t (LIKE was.t INCLUDING ALL)",
  ])
  func `marks of what was merged into another table say nothing of this one`(change: String) async throws {
    try await TestDatabase.withStagedRows(30, status: true) { database in
      #expect(try await database.merge().totals.inserted == 30)
      try database.run("SET search_path = production, public; \(change); INSERT INTO production.t (id) VALUES (99)")
      #expect(try await database.plan().totals.read == 30)
      #expect(try await database.merge().totals.inserted == 30)
    }
  }

  /// A rehearsal elsewhere, a restored snapshot, an earlier version: nobody can tell them apart.
  @Test func `marks that another ledger knows are adopted with a word where production has not what they say`()
    async throws
  {
    try await TestDatabase.withStagedRows(30, status: true) { database in
      #expect(try await database.call("merge", "--admin-schema", "rehearsal").status == 0)
      try database.run("DELETE FROM production.t WHERE id > 10")
      let said = "20 rows of staging.t are marked PROCESSED, and no run on record here has read them"
      for command in ["plan", "merge"] {
        let outcome = try await database.call(command)
        #expect(
          outcome.status == 0 && outcome.everything.replacing("\n", with: " ").contains("20 rows of staging.t"),
          "\(outcome.transcript)"
        )
        let findings = try await database.call(command, "--json")
        if command == "plan" { #expect(findings.output.contains(said), "\(findings.transcript)") }
      }
      let cleanup = try await database.call("cleanup", "--keep-task")
      #expect(
        cleanup.status == 65 && cleanup.everything.contains("20 rows of it are marked PROCESSED"),
        "\(cleanup.transcript)"
      )
      #expect(try await database.merge { $0.again = true }.totals.inserted == 20)
      #expect(try await database.call("cleanup", "--keep-task").status == 0)
    }
  }

  /// The ledger took them over by their marks, and an entry that is superseded says so.
  @Test(arguments: [
    [["cleanup", "--keep-task"], ["cleanup", "--keep-task"], ["merge", "--cleanup"]],
    [["cleanup", "--keep-task", "--keep-staging", "--older-than", "0"], ["cleanup", "--keep-task"]],
  ])
  func `marked rows that production lacks keep staging, however often it is cleaned up`(_ commands: [[String]])
    async throws
  {
    for dropsMarks in [false, true] {
      try await TestDatabase.with { database in
        try database.makePair("u", production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
        try database.run(
          "INSERT INTO staging.u VALUES (1, 2, 'PROCESSED'), (2, 3, 'PROCESSED'); INSERT INTO production.u VALUES (9, 1), (2, 2);"
        )
        #expect(try await database.call("merge").status == 0)
        if dropsMarks { try database.run("ALTER TABLE staging.u DROP COLUMN _dms_processing_status") }
        for command in commands {
          let outcome = try await database.call(arguments: command)
          let keeps = command.contains("--keep-staging") || command[0] == "merge"
          #expect(outcome.status == (keeps ? 0 : 65), "\(outcome.transcript)")
        }
        #expect(try database.count("SELECT count(*) FROM staging.u") == 2)
        try database.run("INSERT INTO production.u VALUES (1, 2); UPDATE production.u SET updated_at = 3 WHERE id = 2")
        #expect(try await database.call("cleanup", "--keep-task").status == 0)
        #expect(try database.count("SELECT count(*) FROM staging.u") == 0)
      }
    }
  }

  @Test(arguments: [[], ["--mark", "none"]])
  func `marked rows of another database, which nobody can compare, keep staging until they are merged`(
    marking: [String]
  )
    async throws
  {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at int); INSERT INTO production.t VALUES (1, 1)"
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (id int, updated_at int, _dms_processing_status text);
        INSERT INTO staging.t VALUES (1, 1, 'PROCESSED'), (6, 1, 'PROCESSED');
        """
      )
      let source = ["--staging-database", staging.connectionString]
      for command in ["plan", "merge"] {
        let outcome = try await production.call(command, "--json", arguments: source)
        #expect(
          outcome.output.contains("2 rows of staging.t are marked PROCESSED, and no run on record"),
          "\(outcome.transcript)"
        )
      }
      for _ in 0..<2 {
        let cleanup = try await production.call("cleanup", "--keep-task", arguments: source)
        #expect(cleanup.status == 65, "\(cleanup.transcript)")
      }
      #expect(try await production.call("merge", "--again", arguments: source + marking).status == 0)
      #expect(try production.count("SELECT count(*) FROM production.t") == 2)
      let emptied = try await production.call("cleanup", "--keep-task", arguments: source)
      #expect(emptied.status == 0, "\(emptied.transcript)")
    }
  }

  /// Neither is in the way of the rows beside it.
  @Test func `marked rows with keys that can't be read, and dismissed ones, are counted as what they are`() async throws
  {
    try await TestDatabase.with { database in
      try database.makePair("u", production: "id int PRIMARY KEY, updated_at int", staging: "id text, updated_at int")
      try database.run(
        """
        INSERT INTO staging.u VALUES ('1', 2, 'PROCESSED'), ('abc', 3, 'PROCESSED'), ('4', 2, 'NEW'), ('5', 2, 'ERROR');
        INSERT INTO production.u VALUES (1, 2);
        """
      )
      let merge = try await database.call("merge")
      #expect(
        merge.status == 65 && merge.errors.contains("2 rows of staging.u are marked PROCESSED"),
        "\(merge.transcript)"
      )
      #expect(try database.count("SELECT count(*) FROM production.u") == 2)
      let refused = try await database.call("cleanup", "--keep-task")
      #expect(
        refused.status == 65 && (refused.output + refused.errors).contains("2 rows of it are marked PROCESSED"),
        "\(refused.transcript)"
      )
      try database.run("DELETE FROM staging.u WHERE id = 'abc'")
      let standing = try await database.call("cleanup", "--keep-task")
      #expect((standing.output + standing.errors).contains("1 row of it stands refused"), "\(standing.transcript)")
      #expect(try await database.call("errors", "dismiss", "--reason", "known").status == 0)
      let cleanup = try await database.call("cleanup", "--keep-task")
      #expect(cleanup.status == 0, "\(cleanup.transcript)")
    }
  }
}
