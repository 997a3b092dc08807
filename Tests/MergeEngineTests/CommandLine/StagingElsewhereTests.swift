import Foundation
import MergeEngine
import TestSupport
import Testing

/// `--staging-database`: staging in another database than production.
@Suite struct StagingElsewhereTests {
  /// Production's types are made by its users, and staging's database has none of them.
  private static let production = """
    CREATE EXTENSION citext;
    CREATE SCHEMA production;
    CREATE TYPE production.mood AS ENUM ('calm', 'cross');
    CREATE DOMAIN production.percentage AS numeric(5, 2) CHECK (value BETWEEN 0 AND 100);
    CREATE DOMAIN production.code AS text CHECK (value ~ '^[A-Z]+[0-9]+$');
    CREATE TYPE production.place AS (x int, y text);
    CREATE TABLE production.t (code production.code, name citext, mood production.mood, share production.percentage,
      moods production.mood[], place production.place, born date, updated_at timestamp, PRIMARY KEY (code, name));
    INSERT INTO production.t
    SELECT 'K' || n, 'name' || n, 'calm', 1, '{calm}', '(1,a)', '2000-01-01', timestamp '2025-01-10'
    FROM generate_series(1, 600, 2) n;
    """

  /// Rows that are new, newer, older, equal, and equal to citext only.
  private static func staging(_ name: String = "staging") -> String {
    """
    CREATE SCHEMA \(name);
    CREATE TABLE \(name).t (code varchar(20), name text, mood text, share numeric, moods text, place text, born timestamp,
      updated_at timestamp, _dms_processing_status varchar(20) DEFAULT 'NEW') WITH (fillfactor = 20);
    INSERT INTO \(name).t
    SELECT 'K' || n, CASE WHEN n % 4 = 1 THEN 'NAME' ELSE 'name' END || n, 'cross', n % 100 + 0.125, '{cross,calm}',
           format('(%s,"b c")', n), '2001-02-03', timestamp '2025-01-10' + (n % 5 - 2) * interval '1 day'
    FROM generate_series(1, 600) n;
    """
  }

  private func run(_ production: TestDatabase, _ staging: TestDatabase, _ arguments: String...) async throws
    -> CommandLineProgram.Outcome
  {
    try await production.call(arguments: arguments + ["--staging-database", staging.connectionString])
  }

  /// By another name or address it would have another ledger.
  @Test func `production's own database is no other one`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1), (2, 1)")
      let merge = try await run(database, database, "merge")
      #expect(merge.status == 0, "\(merge.transcript)")
      #expect(merge.errors.contains("staging is in production's own database"), "\(merge.transcript)")
      try database.run("DELETE FROM production.t WHERE id = 1")
      #expect(try await database.plan().totals.read == 0)
      #expect(try await run(database, database, "merge", "--json").json()["totals"]["read"].integer == 0)
      #expect(try await database.call("status").status == 0)
      // As the ledger of an earlier version has it, and another user would.
      try database.run(
        """
        UPDATE admin.merge_progress AS g SET source = concat_ws(' ', 'table', s.system_identifier, 1, d.oid, split_part(g.source, ' ', 2))
        FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database()
        """
      )
      let former = try await database.call("plan", "--json")
      #expect(
        try former.json()["totals"]["read"].integer == 2 && former.output.contains("a second time"),
        "\(former.transcript)"
      )
      let merger = Merger(try ConnectionDescription(database.connectionString))
      let plan = try await merger.plan(from: .database(try ConnectionDescription(database.connectionString)))
      #expect(plan.totals.read == 2)
    }
  }

  /// It keeps a session of its own, and with that a ledger.
  @Test func `who reads production's own staging as another user, and who does so no more, is told what is read again`()
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at int", staging: "id int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1), (2, 1)")
      let role = "reader_\(UUID().uuidString.prefix(8).lowercased())"
      try database.run("CREATE ROLE \(role) SUPERUSER LOGIN")
      defer { _ = try? database.run("DROP ROLE \(role)") }
      let other = ["--staging-database", database.connectionString + " user=\(role)"]
      for arguments in [[], other, []] {
        for told in [true, false] {
          let plan = try await database.call("plan", "--json", arguments: arguments)
          let isFirst = try !told || database.holds("to_regclass('admin.merge_progress') IS NULL")
          #expect(
            try plan.json()["totals"]["read"].integer == (told ? 2 : 0)
              && plan.output.contains("a second time") == !isFirst,
            "\(plan.transcript)"
          )
          #expect(try await database.call("merge", arguments: arguments).status == 0)
        }
      }
    }
  }

  @Test func `types that production alone has are merged as in one database`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try production.run(Self.production)
      try staging.run(Self.staging())
      let outcome = try await run(production, staging, "--batch", "100", "--json")
      #expect(outcome.status == 0)
      let result = try production.sortedRows("TABLE production.t")
      #expect(try staging.number("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == 600)
      // The runs, their counts and the views are where production is, and nothing is made beside staging.
      #expect(try production.runStatuses() == "SUCCESS")
      #expect(try staging.holds("to_regnamespace('admin') IS NULL AND to_regnamespace('production') IS NULL"))

      // The same in one database.
      try production.run(
        """
        DROP SCHEMA production CASCADE; DROP SCHEMA admin CASCADE; DROP EXTENSION citext; \(Self.production)
        \(Self.staging())
        """
      )
      let single = try await production.call("--batch", "100", "--json")
      #expect(single.status == 0)
      #expect(try production.sortedRows("TABLE production.t") == result)
      for count in ["read", "inserted", "updated", "unchanged", "stale", "duplicate", "errors"] {
        #expect(try outcome.json()["totals"][count].integer == single.json()["totals"][count].integer, "\(count)")
      }
      #expect(try outcome.json()["totals"]["inserted"].integer == 300)
      #expect(try outcome.json()["totals"]["updated"].integer == 120)
    }
  }

  @Test func `a second run reads nothing, and makes the marks that the first one was not to make`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try production.run(Self.production)
      try staging.run(Self.staging())
      #expect(try await run(production, staging, "--mark", "none", "--quiet").status == 0)
      #expect(try staging.number("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'NEW'") == 600)
      let versions = try production.versions(of: "production.t")
      let marking = try await run(production, staging, "--json")
      #expect(try marking.json()["totals"]["read"].integer == 0)
      #expect(try staging.number("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'PROCESSED'") == 600)
      let last = try await run(production, staging, "--json")
      #expect(try last.json()["totals"]["read"].integer == 0)
      #expect(try production.versions(of: "production.t") == versions)
    }
  }

  @Test func `refused rows are marked in staging, recorded beside production, and set back across`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try production.run(Self.production)
      try staging.run(Self.staging())
      try staging.run(
        """
        UPDATE staging.t SET updated_at = '2025-02-01' WHERE code IN ('K10', 'K20', 'K30');
        UPDATE staging.t SET mood = 'furious' WHERE code = 'K10';
        UPDATE staging.t SET share = 101 WHERE code = 'K20';
        UPDATE staging.t SET born = 'infinity', place = '(x,y)' WHERE code = 'K30';
        UPDATE staging.t SET code = 'lower' WHERE code = 'K40';
        """
      )
      let outcome = try await run(production, staging, "--batch", "100", "--json")
      #expect(outcome.status == 65)
      #expect(try outcome.json()["totals"]["errors"].integer == 4)
      #expect(try outcome.json()["totals"]["read"].integer == 600)
      let refused = "SELECT code FROM staging.t WHERE _dms_processing_status = 'ERROR'"
      #expect(try staging.sortedRows(refused) == ["(K10)", "(K20)", "(K30)", "(lower)"])
      #expect(
        try production.sortedRows("SELECT row_key ->> 'code', sqlstate, row_data ->> 'mood' FROM admin.merge_errors")
          == ["(K10,22P02,furious)", "(K20,23514,cross)", "(K30,22P02,cross)", "(lower,23514,cross)"]
      )
      #expect(try production.number("SELECT count(*) FROM production.t WHERE code IN ('K10', 'K20', 'K30')") == 0)

      // Retried by code, mended in staging, and merged; the others stand.
      let retry = try await run(production, staging, "errors", "retry", "--sqlstate", "22P02", "--json")
      #expect(try retry.json()["released"]["t"].integer == 2)
      #expect(try staging.sortedRows(refused) == ["(K20)", "(lower)"])
      try staging.run(
        """
        UPDATE staging.t SET mood = 'cross' WHERE code = 'K10';
        UPDATE staging.t SET place = '(1,y)' WHERE code = 'K30';
        """
      )
      let second = try await run(production, staging, "--json")
      #expect(second.status == 65)
      #expect(try second.json()["totals"]["read"].integer == 2)
      #expect(try second.json()["totals"]["standing_errors"].integer == 2)
      #expect(try second.json()["totals"]["inserted"].integer == 2)
      #expect(try await run(production, staging, "errors", "list", "--json").json()["errors"].elements.count == 2)
    }
  }

  @Test func `cleanup truncates staging where it is, and only when every row is merged`() async throws {
    try await TestDatabase.withPair { production, staging async throws in
      try production.run(Self.production)
      try staging.run(Self.staging())
      try staging.run("UPDATE staging.t SET share = 101, updated_at = '2025-02-01' WHERE code = 'K20'")
      // A table of the same name beside production is none of the merge's business.
      try production.run(Self.staging())
      let kept = try await run(production, staging, "--cleanup")
      #expect(kept.status == 65)
      #expect(kept.errors.contains("the staging table t was not truncated"))
      #expect(try staging.number("SELECT count(*) FROM staging.t") == 600)
      try staging.run("UPDATE staging.t SET share = 100 WHERE code = 'K20'")
      #expect(try await run(production, staging, "errors", "retry").status == 0)
      #expect(try await run(production, staging, "--cleanup").status == 0)
      #expect(try staging.number("SELECT count(*) FROM staging.t") == 0)
      #expect(try production.number("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'NEW'") == 600)
    }
  }

  @Test func `staging that can't be reached ends with 69 before anything is written`() async throws {
    try await TestDatabase.withPair { production, _ async throws in
      try production.run(Self.production)
      let before = try production.contents()
      let outcome = try await production.call("--staging-database", "host=127.0.0.1 port=1 dbname=elsewhere")
      #expect(outcome.status == 69)
      #expect(outcome.errors.contains("connecting to database elsewhere on 127.0.0.1:1"))
      #expect(try production.contents() == before)
    }
  }

  @Test func `refused rows of staging in another database are no secret of status`() async throws {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at int)"
      )
      try staging.run(
        "CREATE SCHEMA staging; CREATE TABLE staging.t (id int, v int, updated_at int); INSERT INTO staging.t VALUES (1, 0, 1)"
      )
      #expect(try await production.call("merge", "--staging-database", staging.connectionString).status == 65)
      let status = try await production.call("status", "--json")
      #expect(status.status == 65, "\(status.transcript)")
      #expect(try status.json()["errors_elsewhere"].integer == 1)
      let text = try await production.call("status")
      #expect(text.output.contains("1 row of staging in another database stood refused"), "\(text.transcript)")
      #expect(!text.output.contains("There are no staging tables"))
      #expect(try await production.call("errors", "dismiss", "--reason", "known").status == 0)
      #expect(try await production.call("status").status == 0)
      let option = try await production.call("status", "--staging-database", staging.connectionString)
      #expect(
        option.status == 64 && option.errors.contains("There is no option --staging-database here"),
        "\(option.transcript)"
      )
    }
  }
}
