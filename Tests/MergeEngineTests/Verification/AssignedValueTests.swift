import MergeEngine
import TestSupport
import Testing

/// What a merge has written is what `verify` expects: it reads staging's values as assignment makes them, in the formats of the
/// merge's own sessions.
@Suite struct AssignedValueTests {
  @Test(arguments: ["varchar(5)", "char(5)"], ["text", "varchar(20)", "char(12)"])
  func `blanks behind the length are no difference`(production: String, staging: String) async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v \(production), w \(production)[]",
        staging: "id int, updated_at int, v \(staging), w \(staging)[]"
      )
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, 1, 'abcde   ', '{"abcde  ",a}'), (2, 1, 'ab', NULL), (3, 1, 'a     ', '{}'), (4, 1, NULL, NULL),
          (5, 1, 'abcdef', NULL), (6, 1, 'abcde  f', NULL)
        """
      )
      let (_, merge) = try await database.planAndMerge()
      #expect(merge.totals.inserted == 4 && merge.totals.errors == 2)
      let report = try await database.verify()
      #expect(report.tables[0].counts.equal == 4, "\(report.tables[0].counts)")
      #expect(
        try await database.merge {
          $0.again = true; $0.ties = .compare
        }.totals.updated == 0
      )
    }
  }

  @Test(arguments: [false, true])
  func `text made of times, numbers and bytes is in the formats of the database, for both`(keepsJSON: Bool) async throws
  {
    try await TestDatabase.with { database in
      let more = keepsJSON ? ", j json" : ""
      try database.makePair(
        production: "id timestamptz PRIMARY KEY, updated_at int, a text, b text, c text, d text, e text, f text\(more)",
        staging:
          "id timestamptz, updated_at int, a timestamptz, b timestamp, c date, d interval, e float8, f bytea\(more)"
      )
      try database.run(
        """
        ALTER DATABASE \(database.name) SET datestyle = 'German, DMY'; ALTER DATABASE \(database.name) SET timezone = 'Asia/Tokyo';
        ALTER DATABASE \(database.name) SET intervalstyle = 'sql_standard';
        ALTER DATABASE \(database.name) SET extra_float_digits = \(keepsJSON ? 1 : 0);
        ALTER DATABASE \(database.name) SET bytea_output = 'escape';
        INSERT INTO staging.t
        SELECT now() + n * interval '1 hour', 1, now() + n * interval '1 hour', '2025-03-04 05:06', '2025-03-04', '1 day 02:03', 0.1::float8 + 0.2,
               '\\x0102'
        FROM generate_series(1, 50) n
        """
      )
      #expect(try await database.merge().totals.inserted == 50)
      #expect(try database.holds("(SELECT bool_and(a ~ '^\\d\\d\\.\\d\\d\\.\\d{4}') FROM production.t)"))
      let report = try await database.verify()
      #expect(report.status == .success, "\(report.tables[0].counts), \(report.tables[0].columns)")
      let plan = try await database.plan {
        $0.again = true; $0.ties = .compare
      }
      #expect(plan.totals.unchanged == 50)
      #expect(
        try await database.merge {
          $0.again = true; $0.ties = .compare
        }.totals.unchanged == 50
      )

      // The keys of a file name the same rows to whoever reads it.
      try database.run("UPDATE production.t SET b = 'changed'")
      let file = DifferencesFile()
      try await database.verify(into: file)
      try database.run(
        "ALTER DATABASE \(database.name) SET timezone = 'Europe/Berlin'; ALTER DATABASE \(database.name) RESET datestyle"
      )
      #expect(try await database.repair(file).updated == 50)
    }
  }

  @Test(arguments: [("timestamptz", "timestamp"), ("timestamp", "timestamptz")])
  func `a repair finds rows by keys in the zone that verify has read them in`(production: String, staging: String)
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k \(production) PRIMARY KEY, updated_at int, v text",
        staging: "k \(staging), updated_at int, v text"
      )
      try database.run(
        "INSERT INTO staging.t SELECT '2025-06-01 10:00'::timestamp + n * interval '1 hour', 1, 'a' FROM generate_series(1, 5) n"
      )
      try await database.merge { $0.timeZone = "Asia/Tokyo" }
      try database.run("UPDATE production.t SET v = 'b'")
      let file = DifferencesFile()
      let report = try await database.verify(into: file) { $0.merge.timeZone = "Asia/Tokyo" }
      #expect(report.tables[0].counts.differing == 5)
      #expect(try await database.repair(file) { $0.isDryRun = true }.updated == 5)
      #expect(try await database.repair(file).updated == 5)
      #expect(try await database.verify { $0.merge.timeZone = "Asia/Tokyo" }.status == .success)
    }
  }

  @Test func `a status is no SUCCESS where the exit status is 65`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at int, v int CHECK (v > 0)",
        staging: "id int, updated_at int, v int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, 1, 1), (2, 1, 0)")
      #expect(try await database.call("merge").status == 65)
      for command in ["plan", "verify"] {
        let outcome = try await database.call(command, "--json")
        #expect(outcome.status == 65)
        #expect(try outcome.json()["status"].text == "PARTIAL", "\(command)")
      }
      let shown = try await database.call("verify")
      #expect(
        shown.output.contains("PARTIAL: what was compared is as it should be; 1 refused row could not be compared.")
      )
      #expect(try await database.call("errors", "dismiss", arguments: ["--reason", "known"]).status == 0)
      for command in ["plan", "verify"] {
        #expect(try await database.call(command, "--json").json()["status"].text == "SUCCESS", "\(command)")
      }
    }
  }

  @Test(arguments: ["integer", "boolean", "varchar(4)", "status", "text GENERATED ALWAYS AS ('NEW') STORED"])
  func `a column that only bears the name of the status column is left alone`(type: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE TYPE public.status AS ENUM ('a', 'b');
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at int);
        CREATE TABLE staging.t (id int, updated_at int, _dms_processing_status \(type.replacing("status", with: "public.status")));
        INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 5) n
        """
      )
      for (command, isFirst) in [
        ("verify", true), ("plan", true), ("merge", true), ("verify", false), ("status", false),
      ] {
        let outcome = try await database.call(command)
        // Nothing is merged yet.
        #expect(outcome.status == (command == "verify" && isFirst ? 65 : 0), "\(command): \(outcome.transcript)")
      }
      let report = try await database.merge()
      #expect(report.totals.read == 0)
      #expect(report.warnings.contains { $0.contains("_dms_processing_status") && $0.contains("left alone") })
    }
  }
}
