import MergeEngine
import TestSupport
import Testing

/// What is kept in the admin tables means the same to every session, whatever is set there.
@Suite struct ExactTextTests {
  /// Set for the database between two commands: each changes the text of some type.
  private static let settings = [
    "TimeZone = 'Asia/Tokyo'", "DateStyle = 'German, DMY'", "IntervalStyle = 'sql_standard'", "extra_float_digits = -3",
    "bytea_output = 'escape'",
  ]

  private static func set(_ settings: [String], _ database: TestDatabase) throws {
    for setting in settings { try database.run("ALTER DATABASE \(database.name) SET \(setting)") }
  }

  /// The row's address is none any more after VACUUM FULL: then only its key tells it.
  @Test(arguments: [
    ("timestamptz", "'2025-01-01 00:00:00.123456+05'"), ("tstzrange", "'[2025-01-01 00:00+05,2025-01-02 00:00+05)'"),
    ("timestamptz[]", "ARRAY['2025-01-01 00:00+05'::timestamptz]"), ("date", "'2025-03-04'"),
    ("daterange", "'[2025-03-04,2025-03-05)'"), ("interval", "'1 year 2 days 03:04:05.678'"), ("bytea", "'\\x00ff41'"),
    ("float8", "0.1::float8 + 0.2::float8"), ("float8[]", "ARRAY[0.1::float8 + 0.2::float8]"),
    ("regclass", "'staging.t'::regclass"), ("time with time zone", "'03:04:05+05'"), ("money", "12.34::money"),
  ])
  func `a refused row of any key stands, whatever is set when it is looked for`(_ type: String, _ value: String)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (k \(type), v int CHECK (v > 0), updated_at timestamp, PRIMARY KEY (k));
        CREATE TABLE staging.t (k \(type), v int, updated_at timestamp);
        INSERT INTO staging.t VALUES (\(value), -1, '2025-01-01');
        """
      )
      #expect(try await database.call("merge", "--time-zone", "Asia/Kolkata").status == 65)
      try Self.set(Self.settings, database)
      try database.run("VACUUM FULL staging.t")
      let again = try await database.call("merge", "--json")
      #expect(try again.json()["totals"]["standing_errors"].integer == 1, "\(again.transcript)")
      let released = try await database.call("errors", "retry", "--json")
      #expect(try released.json()["released"]["t"].integer == 1, "\(released.transcript)")
    }
  }

  @Test(arguments: ["timestamptz", "timestamp"])
  func `a window is that of the zone in which it was typed, for whoever looks later`(_ type: String) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at \(type));
        CREATE TABLE staging.t (id int, updated_at \(type));
        SET TimeZone = 'Asia/Tokyo';
        -- 1 lies within the day in Tokyo; 2 does not, but does in UTC.
        INSERT INTO production.t VALUES (2, '2025-01-02 03:00');
        INSERT INTO staging.t VALUES (1, '2025-01-01 03:00'), (2, '2025-01-02 03:00');
        """
      )
      let window = ["--from", "2025-01-01 00:00", "--to", "2025-01-02 00:00"]
      let merge = try await database.call(arguments: ["--time-zone", "Asia/Tokyo"] + window)
      #expect(merge.status == 0, "\(merge.transcript)")
      #expect(try database.rows("SELECT id FROM production.t ORDER BY 1") == ["(1)", "(2)"])
      #expect(
        try database.rows("SELECT version_from, version_to FROM admin.merge_logs")
          == (type == "timestamp"
            ? [#"("2025-01-01 00:00:00","2025-01-02 00:00:00")"#]
            : [#"("2024-12-31 15:00:00+00","2025-01-01 15:00:00+00")"#])
      )
      // The same, typed in another way, is nothing new.
      let repeated = ["--from", "2025-01-01T00:00:00", "--to", "2025-01-02"]
      let again = try await database.call(arguments: ["--time-zone", "Asia/Tokyo", "--json"] + repeated)
      #expect(try again.json()["totals"]["read"].integer == 0)
      try database.run("DELETE FROM staging.t WHERE id = 2")
      let verify = try await database.call(
        arguments: ["verify", "--recheck-after", "0", "--json"]
      )
      #expect(verify.status == 0, "\(verify.transcript)")
      #expect(try verify.json()["tables"].table("t")["extra"]["rows"].integer == 0)
      #expect(try database.rows("SELECT id FROM production.t ORDER BY 1") == ["(1)", "(2)"])
    }
  }

  @Test func `the views count a window as it was meant`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at timestamptz);
        CREATE TABLE staging.t (id int, updated_at timestamptz);
        INSERT INTO staging.t VALUES (1, '2025-01-01 03:00+09'), (2, '2025-01-02 03:00+09');
        """
      )
      let merge = try await database.call(
        arguments: ["--time-zone", "Asia/Tokyo", "--from", "2025-01-01", "--to", "2025-01-02"]
      )
      #expect(merge.status == 0, "\(merge.transcript)")
      for zone in ["UTC", "Asia/Tokyo", "America/New_York"] {
        try database.run("SET TimeZone = '\(zone)'; SET DateStyle = 'SQL, DMY'")
        #expect(try database.rows("TABLE admin.oracle_pg_migration_status") == ["(t,2,1,1,0)"])
      }
    }
  }
}
