import TestSupport
import Testing

/// What stands against a merge is said, with status 73, and nothing at all is written.
@Suite struct BlockedTests {
  /// What is prepared, what is typed, and what the message has to hold.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var sql = ""
    var arguments: [String] = []
    var message: [String]
  }

  @Test(arguments: [
    Case(
      testDescription: "no staging schema",
      sql: "DROP SCHEMA staging CASCADE",
      message: ["there is no schema staging", "init", "--staging-schema"]
    ),
    Case(
      testDescription: "no production schema",
      arguments: ["--production-schema", "prod"],
      message: ["there is no schema prod", "--production-schema"]
    ),
    Case(
      testDescription: "a named table that has no production table",
      sql: "DROP TABLE production.items",
      arguments: ["--table", "items"],
      message: ["items", "no table of the same name in production"]
    ),
    Case(
      testDescription: "a named table that has no staging table",
      arguments: ["--table", "nothing"],
      message: ["nothing", "no staging table staging.nothing", "production has no table of that name either"]
    ),
    Case(
      testDescription: "no pair at all",
      sql: "DROP TABLE production.items",
      message: ["no table in the schema staging that has a production table of the same name"]
    ),
    Case(
      testDescription: "no primary key",
      sql: "ALTER TABLE production.items DROP CONSTRAINT items_pkey",
      message: ["items", "production.items has no primary key"]
    ),
    Case(
      testDescription: "no version column",
      sql: "ALTER TABLE production.items DROP COLUMN updated_at",
      message: ["items", "production.items has no column updated_at", "version_column"]
    ),
    Case(
      testDescription: "no version column in staging",
      sql: "ALTER TABLE staging.items DROP COLUMN updated_at",
      message: ["items", "staging.items has no column updated_at"]
    ),
    Case(
      testDescription: "no key column in staging",
      sql: "ALTER TABLE staging.items DROP COLUMN id",
      message: ["items", "the key column id is missing in staging.items"]
    ),
    Case(
      testDescription: "a staging column that production lacks",
      sql: "ALTER TABLE staging.items ADD COLUMN extra text",
      message: ["items", "the staging column extra does not exist in production.items", "ignore_columns"]
    ),
    Case(
      testDescription: "a production column NOT NULL, without default, that staging lacks",
      sql: "ALTER TABLE production.items ADD COLUMN owner text; UPDATE production.items SET owner = '';"
        + "ALTER TABLE production.items ALTER owner SET NOT NULL",
      message: ["items", "the column owner of production.items is NOT NULL, has no default"]
    ),
    Case(
      testDescription: "a version of type text",
      sql: "ALTER TABLE production.items ALTER updated_at TYPE text",
      message: ["items", "the version column updated_at of production.items is of type text", "timestamptz"]
    ),
    Case(
      testDescription: "a version of type double precision",
      sql: "ALTER TABLE production.items ALTER updated_at TYPE double precision USING 1",
      message: ["of type double precision"]
    ),
    Case(
      testDescription: "types without a cast between them",
      sql: "ALTER TABLE production.items ALTER name TYPE boolean USING true;"
        + "ALTER TABLE staging.items ALTER name TYPE date USING NULL",
      message: ["items", "staging.items can't be read as the types of production.items", "SQLSTATE"]
    ),
    Case(
      testDescription: "staging is a view",
      sql: "DROP TABLE staging.items; CREATE VIEW staging.items AS TABLE production.items",
      message: ["items", "staging.items is not an ordinary table"]
    ),
    Case(
      testDescription: "production is a view",
      sql: "ALTER TABLE production.items RENAME TO real; CREATE VIEW production.items AS TABLE production.real",
      message: ["items", "production.items is a view"]
    ),
  ])
  func `blocks`(_ case: Case) async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      if !`case`.sql.isEmpty { try database.run(`case`.sql) }
      let before = try database.contents()
      let outcome = try await database.call("--json", arguments: `case`.arguments)
      #expect(outcome.status == 73)
      for part in `case`.message { #expect(outcome.errors.contains(part)) }
      #expect(outcome.errors.contains("Nothing was written."))
      #expect(try outcome.hasNoResult(json: true))
      #expect(try database.contents() == before)
    }
  }

  @Test func `names all that stands against it at once, with the table in front`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run(
        """
        CREATE TABLE production.other (id integer, updated_at date); CREATE TABLE staging.other (id integer);
        INSERT INTO staging.other VALUES (1);
        ALTER TABLE production.items DROP COLUMN updated_at;
        """
      )
      let outcome = try await database.call()
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("items: production.items has no column updated_at"))
      #expect(outcome.errors.contains("other: production.other has no primary key"))
      #expect(outcome.errors.contains("other: staging.other has no column updated_at"))
    }
  }

  @Test func `a staging table without production table is only warned of when others can be merged`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(Self.tables)
      try database.run("CREATE TABLE staging.orphans (id integer)")
      let outcome = try await database.call("--json")
      #expect(outcome.status == 0)
      #expect(outcome.errors.contains("warning"))
      #expect(outcome.errors.contains("staging.orphans has no table of the same name in production: not merged"))
      #expect(try outcome.json()["tables"].elements.compactMap { $0["table"].text } == ["items"])
      #expect(try outcome.json()["warnings"].elements.count == 1)
    }
  }

  @Test func `the guide's tables that nobody has made yet block init, which writes nothing`() async throws {
    try await TestDatabase.with { database async throws in
      let before = try database.contents()
      let outcome = try await database.call("init")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("no table in the schema production"))
      #expect(try database.contents() == before)
    }
  }

  /// One table on both sides, with a row to merge.
  private static let tables = """
    CREATE SCHEMA production; CREATE SCHEMA staging;
    CREATE TABLE production.items (id integer PRIMARY KEY, name text, updated_at timestamp);
    CREATE TABLE staging.items (id integer PRIMARY KEY, name text, updated_at timestamp,
                                _dms_processing_status varchar(20) DEFAULT 'NEW');
    INSERT INTO production.items VALUES (1, 'old', '2025-01-01');
    INSERT INTO staging.items VALUES (1, 'new', '2025-01-02'), (2, 'new', '2025-01-02');
    """
}
