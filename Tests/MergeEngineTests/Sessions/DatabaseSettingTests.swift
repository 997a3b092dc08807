import MergeEngine
import TestSupport
import Testing

/// What role and database have set holds for the database's own code, and does not change what our statements mean.
@Suite struct DatabaseSettingTests {
  /// Production notes what its trigger sees, in a table that only the database's own path leads to.
  private func log(_ database: TestDatabase) throws {
    try database.run(
      """
      CREATE SCHEMA audit;
      CREATE TABLE audit.seen (path text, zone text, style text, intervals text, digits text, bytes text, commits text);
      CREATE FUNCTION production.see() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO seen SELECT current_setting('search_path'), current_setting('TimeZone'), current_setting('DateStyle'),
          current_setting('IntervalStyle'), current_setting('extra_float_digits'), current_setting('bytea_output'),
          current_setting('synchronous_commit');
        RETURN NULL;
      END $$;
      CREATE TRIGGER see AFTER INSERT OR UPDATE ON production.t FOR EACH STATEMENT EXECUTE FUNCTION production.see();
      ALTER DATABASE \(database.name) SET search_path = production, audit, public;
      ALTER DATABASE \(database.name) SET timezone = 'Asia/Tokyo';
      ALTER DATABASE \(database.name) SET datestyle = 'German, DMY';
      ALTER DATABASE \(database.name) SET intervalstyle = 'sql_standard';
      ALTER DATABASE \(database.name) SET extra_float_digits = 0;
      ALTER DATABASE \(database.name) SET bytea_output = 'escape';
      ALTER DATABASE \(database.name) SET synchronous_commit = 'local';
      """
    )
  }

  @Test func `a trigger sees the settings of its database, and finds its tables`() async throws {
    try await TestDatabase.withRows(40) { database in
      try log(database)
      let report = try await database.merge()
      #expect(report.status == .success, "\(report.failures)")
      #expect(
        try database.rows("SELECT DISTINCT * FROM audit.seen")
          == [#"("production, audit, public",Asia/Tokyo,"German, DMY",sql_standard,0,escape,local)"#]
      )
      try database.expectEverythingMerged()
    }
  }

  @Test func `checks, defaults and generated columns have the clock and the formats of their database`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: """
          id int PRIMARY KEY, updated_at timestamp CHECK (updated_at <= localtimestamp), made timestamp DEFAULT localtimestamp,
          day text DEFAULT current_date::text
          """,
        staging: "id int, updated_at timestamp"
      )
      try database.run(
        """
        ALTER DATABASE \(database.name) SET timezone = 'Asia/Tokyo';
        ALTER DATABASE \(database.name) SET datestyle = 'German, DMY';
        INSERT INTO staging.t SELECT n, now() AT TIME ZONE 'Asia/Tokyo' FROM generate_series(1, 20) n
        """
      )
      let report = try await database.merge()
      #expect(report.status == .success && report.totals.inserted == 20, "\(report.failures)")
      #expect(
        try database.holds(
          """
          SELECT bool_and(abs(extract(epoch FROM made - now() AT TIME ZONE 'Asia/Tokyo')) < 60 AND day ~ '^\\d\\d\\.\\d\\d\\.\\d{4}$')
          FROM production.t
          """
        )
      )
    }
  }

  @Test func `text that is a date is read in the order of its database`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "id int PRIMARY KEY, updated_at timestamp", staging: "id int, updated_at text")
      try database.run(
        """
        ALTER DATABASE \(database.name) SET datestyle = 'ISO, DMY';
        INSERT INTO production.t VALUES (1, '2025-04-20');
        INSERT INTO staging.t VALUES (1, '04/05/2025')
        """
      )
      let outcome = try await database.call("plan")
      #expect(outcome.everything.contains("DateStyle ISO, DMY"), "\(outcome.transcript)")
      let report = try await database.merge()
      #expect(report.totals.updated == 1)
      #expect(try database.value("SELECT updated_at = '2025-05-04'::timestamp FROM production.t") == "true")
    }
  }

  @Test func `times get a zone, and lose it, in the zone that was asked for and not in the session's`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: """
          id int PRIMARY KEY, updated_at timestamptz, plain timestamp, day date, typed timestamptz, list timestamptz[]
          """,
        staging: "id int, updated_at timestamp, plain timestamptz, day timestamptz, typed text, list timestamp[]"
      )
      try database.run(
        """
        ALTER DATABASE \(database.name) SET timezone = 'Asia/Tokyo';
        INSERT INTO staging.t VALUES
          (1, '2025-01-10 12:00', '2025-01-10 23:30+00', '2025-01-10 23:30+00', '2025-01-10 12:00',
           '{2025-01-10 12:00,2025-07-10 12:00}'),
          (2, '2025-07-10 12:00', NULL, NULL, '2025-01-10 12:00:00.5 +05:30', NULL),
          (3, 'infinity', 'infinity', NULL, '2025-01-10T12:00:00Z', '{}');
        """
      )
      let report = try await database.merge { $0.timeZone = "Europe/Berlin" }
      #expect(report.status == .success && report.totals.inserted == 3, "\(report.failures)")
      try database.run("SET timezone = 'UTC'")
      #expect(
        try database.rows("SELECT * FROM production.t ORDER BY id") == [
          """
          (1,"2025-01-10 11:00:00+00","2025-01-11 00:30:00",2025-01-11,"2025-01-10 11:00:00+00",\
          "{""2025-01-10 11:00:00+00"",""2025-07-10 10:00:00+00""}")
          """,
          #"(2,"2025-07-10 10:00:00+00",,,"2025-01-10 06:30:00.5+00",)"#,
          #"(3,infinity,infinity,,"2025-01-10 12:00:00+00",{})"#,
        ]
      )
      // A second run finds everything as it is, and so does verify.
      #expect(
        try await database.merge {
          $0.timeZone = "Europe/Berlin"; $0.again = true
        }.totals.unchanged == 3
      )
      let verified = try await database.call("verify", "--time-zone", "Europe/Berlin")
      #expect(verified.status == 0, "\(verified.transcript)")
      let planned = try await database.call("plan", "--time-zone", "Europe/Berlin")
      #expect(planned.everything.contains("the database is in Asia/Tokyo"), "\(planned.transcript)")
    }
  }

  /// The server's own cast of such a text to a type without a zone takes the zone for nothing.
  @Test(arguments: ["timestamp", "timestamptz"])
  func `a window that names its zone is of these instants whatever the version's type`(type: String) async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at \(type)",
        staging: "id int, updated_at timestamp"
      )
      try database.run(
        "INSERT INTO staging.t SELECT h, timestamp '2025-03-31' + h * interval '1 hour' FROM generate_series(0, 23) AS h"
      )
      for (from, to) in [
        ("2025-03-31 14:00:00+05:00", "2025-03-31 20:00:00+05:00"), ("31 Mar 2025 17:00 MSK", "2025-03-31T21:00+03"),
      ] {
        let report = try await database.merge {
          $0.from = from
          $0.to = to
          $0.timeZone = "America/New_York"
        }
        #expect(report.totals.inserted > 0, "\(report.failures)")
      }
      // 09:00 to 15:00 UTC and 14:00 to 18:00 UTC, four hours earlier in New York.
      #expect(
        try database.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM production.t") == "5 6 7 8 9 10 11 12 13"
      )
    }
  }

  @Test func `a window without a zone is one of the zone that was asked for`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "id int PRIMARY KEY, updated_at timestamptz",
        staging: "id int, updated_at timestamptz"
      )
      try database.run(
        """
        ALTER DATABASE \(database.name) SET timezone = 'Asia/Tokyo';
        INSERT INTO staging.t VALUES (1, '2025-01-10 10:59+00'), (2, '2025-01-10 11:00+00'), (3, '2025-01-10 12:00+00')
        """
      )
      let report = try await database.merge {
        $0.timeZone = "Europe/Berlin"
        $0.from = "2025-01-10 12:00"
        $0.to = "2025-01-10 12:00Z"
      }
      #expect(report.totals.read == 1 && report.totals.inserted == 1)
      #expect(try database.rows("SELECT id FROM production.t") == ["(2)"])
    }
  }

  @Test func `a role whose triggers and foreign keys are switched off is told, by plan and merge`() async throws {
    try await TestDatabase.withRows(4) { database in
      try database.run("ALTER DATABASE \(database.name) SET session_replication_role = replica")
      for words in [["plan"], ["merge"]] {
        let outcome = try await database.call(arguments: words)
        #expect(outcome.status == 0)
        #expect(outcome.everything.contains("session_replication_role is replica"), "\(outcome.transcript)")
      }
    }
  }

  @Test func `a NULL within an array stays one where the database has array_nulls off`() async throws {
    try await TestDatabase.with { database async throws in
      try database.makePair(
        production: "k int PRIMARY KEY, updated_at int, v text[]",
        staging: "k int, updated_at int, v text[]"
      )
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, 2, ARRAY[NULL, 'NULL', 'a']), (2, 2, ARRAY[NULL]);
        ALTER DATABASE \(database.name) SET array_nulls = off;
        """
      )
      #expect(try await database.merge().totals.inserted == 2)
      try database.run("DELETE FROM production.t WHERE k = 1; UPDATE production.t SET v = ARRAY['NULL']")
      let file = DifferencesFile()
      try await database.verify(into: file)
      #expect(try file.found() == ["differing 2", "missing 1"])
      try await database.repair(file)
      #expect(try database.difference("SELECT k, v FROM production.t", "SELECT k, v FROM staging.t") == [])
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v[1] IS NULL") == 2)
      let plan = try await database.call("plan", "--again")
      #expect(plan.status == 0, "\(plan.everything)")
    }
  }
}
