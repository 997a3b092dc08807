import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// The guide's comparison of types, asked of the catalog itself: what `information_schema` says, without its price.
@Suite struct TypeViewTests {
  /// The guide's own query.
  private static let guide = """
    SELECT t.table_name, t.column_name, t.data_type AS target_data_type, s.data_type AS staging_data_type,
           CASE
             WHEN t.data_type <> s.data_type THEN 'DATA TYPE MISMATCH'
             WHEN t.character_maximum_length <> s.character_maximum_length THEN 'LENGTH MISMATCH'
             WHEN t.numeric_precision <> s.numeric_precision THEN 'PRECISION MISMATCH'
             WHEN t.numeric_scale <> s.numeric_scale THEN 'SCALE MISMATCH'
           END AS status
    FROM information_schema.columns t
    JOIN information_schema.columns s ON s.table_name = t.table_name AND s.column_name = t.column_name
    WHERE t.table_schema = 'production' AND s.table_schema = 'staging'
      AND (t.data_type <> s.data_type OR t.character_maximum_length <> s.character_maximum_length
           OR t.numeric_precision <> s.numeric_precision OR t.numeric_scale <> s.numeric_scale)
    """

  @Test func `it says of every pair of types what information_schema says`() async throws {
    try await TestDatabase.with { database in
      let types = [
        "int", "bigint", "smallint", "numeric", "numeric(10,2)", "numeric(12,2)", "numeric(10,4)", "numeric(5)", "real",
        "float8",
        "text", "varchar", "varchar(9)", "varchar(8)", "char(3)", "char", "bit(4)", "bit varying", "bit varying(7)",
        "int[]",
        "text[]", "varchar(9)[]", "timestamp", "timestamp(3)", "timestamptz", "time", "interval", "bytea", "jsonb",
        "uuid",
        "mood", "tone", "percent", "short", "nested", "point", "oid", "name", "boolean", "money", "inet",
      ]
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TYPE mood AS ENUM ('a'); CREATE TYPE tone AS ENUM ('a');
        CREATE DOMAIN percent AS numeric(5,2); CREATE DOMAIN short AS varchar(3); CREATE DOMAIN nested AS short;
        """
      )
      func columns(_ type: (Int) -> String) -> String {
        types.indices.map { "c\($0) \(type($0))" }.joined(separator: ", ")
      }
      // Every type against each other one.
      try database.run("CREATE TABLE staging.same (\(columns { types[$0] }))")
      for (index, type) in types.enumerated() {
        try database.run("CREATE TABLE production.t\(index) (\(columns { _ in type }))")
        try database.run("CREATE TABLE staging.t\(index) (LIKE staging.same)")
      }
      let own = TypeComparisonSQL(schemas: Schemas()).query.text
      #expect(try database.difference(own, Self.guide) == [])
      #expect(try database.count("SELECT count(*) FROM (\(own)) AS v") > 1000)
    }
  }

  @Test func `with hundreds of tables every column is looked at some few times`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        DO $$ BEGIN
          FOR n IN 1..200 LOOP
            EXECUTE format('CREATE TABLE production.t%s (a int, b int, c varchar(9), d numeric(9,2), e text)', n);
            EXECUTE format('CREATE TABLE staging.t%s (a int, b int, c varchar(9), d numeric(9,2), e text)', n);
          END LOOP;
        END $$;
        ANALYZE pg_class; ANALYZE pg_attribute;
        """
      )
      let query = TypeComparisonSQL(schemas: Schemas()).query
      let looked = try database.connection.rowsLookedAt(query)
      // 2,000 columns on both sides, and the server's own catalog.
      #expect(looked < 200_000, "\(looked)")
    }
  }

  @Test func `the view of an earlier version is replaced by it`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE SCHEMA admin;
        CREATE TABLE production.t (id int PRIMARY KEY, v int, updated_at timestamp);
        CREATE TABLE staging.t (id int, v bigint, updated_at timestamp);
        CREATE VIEW admin.oracle_pg_type_verification AS \(Self.guide);
        """
      )
      #expect(try await database.call("init").status == 0)
      #expect(
        try !database.holds("pg_get_viewdef('admin.oracle_pg_type_verification'::regclass) LIKE '%schema.columns%'")
      )
      #expect(try database.rows("SELECT column_name FROM admin.oracle_pg_type_verification") == ["(v)"])
    }
  }
}
