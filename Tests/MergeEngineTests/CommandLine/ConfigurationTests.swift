import TestSupport
import Testing

/// The YAML file: every key, every mistake, and what wins over it.
@Suite struct ConfigurationTests {
  @Test(arguments: [
    ("batch: 10\nbatchsize: 5\n", ["merge-engine.yaml:2", "unknown key batchsize", "batch"]),
    ("tables:\n  orders:\n    version: x\n", ["merge-engine.yaml:3", "unknown key tables.orders.version"]),
    ("workers: two\n", ["merge-engine.yaml:1", "workers must be a whole number"]),
    ("batch: 010\n", ["merge-engine.yaml:1", "batch must be a whole number"]),
    ("window: 25:00-26:00\n", ["merge-engine.yaml:1", "window must be a time window such as 22:00-05:00"]),
    ("\n\nbatch: [1]\n", ["merge-engine.yaml:3", "batch must be a whole number"]),
    ("atomic: perhaps\n", ["merge-engine.yaml:1", "atomic must be true or false"]),
    ("database: [a]\n", ["merge-engine.yaml:1", "database must be a text"]),
    ("insert_only_columns: created_at\n", ["merge-engine.yaml:1", "insert_only_columns must be a list"]),
    ("tables: orders\n", ["merge-engine.yaml:1", "tables must be keys with values"]),
    ("tables:\n  orders: 5\n", ["merge-engine.yaml:2", "tables.orders must be keys with values"]),
    ("- batch\n", ["merge-engine.yaml:1", "keys with values"]),
    ("mark: some\n", ["merge-engine.yaml", "mark is some", "all or none"]),
    ("nulls: first\n", ["merge-engine.yaml", "nulls is first", "production-loses or strict"]),
    ("log_format: xml\n", ["merge-engine.yaml", "log_format is xml", "text or json"]),
    ("batch: {1\n", ["merge-engine.yaml", "not YAML"]),
    ("workers: 2\nbatch: 1\nbatch: 2\n", ["merge-engine.yaml:2", "the key batch appears more than once"]),
    ("batch: 0\n", ["merge-engine.yaml", "batch is 0"]),
    ("workers: 0\n", ["merge-engine.yaml", "workers is 0"]),
    ("lock_timeout: -1\n", ["merge-engine.yaml", "lock_timeout is -1"]),
    ("time_zone: Nowhere/Town\n", ["merge-engine.yaml", "time_zone", "Nowhere/Town"]),
  ])
  func `a mistake in the file is named with file, line and key, and ends with 78`(
    text: String,
    message: [String]
  ) async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let before = try database.contents()
      let outcome = try await database.call(files: ["merge-engine.yaml": text])
      #expect(outcome.status == 78)
      for part in message { #expect(outcome.errors.contains(part)) }
      #expect(outcome.output == "")
      #expect(try database.contents() == before)
    }
  }

  @Test func `a file that is named but not there ends with 78`() async throws {
    let outcome = try await CommandLineProgram.run(["--config", "nothing.yaml", "--database", "postgresql://x/y"])
    #expect(outcome.status == 78)
    #expect(outcome.errors.contains("nothing.yaml"))
  }

  @Test func `a password in a file with a mistake is not shown`() async throws {
    for text in ["database: [postgresql://u:w0ng@h/d]\n", "database: postgresql://u:w0ng@h/d\nx: y\n"] {
      let outcome = try await CommandLineProgram.run([], files: ["merge-engine.yaml": text])
      #expect(outcome.status == 78)
      #expect(!outcome.everything.contains("w0ng"))
    }
  }

  @Test func `every key has its effect`() async throws {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA prod; CREATE SCHEMA load;
        CREATE TABLE prod.a (id int PRIMARY KEY, x text, made text, changed int);
        CREATE INDEX by_change ON prod.a (changed);
        CREATE TABLE load.a (id int, x text, made text, changed int, junk text);
        CREATE TABLE prod.b (id int PRIMARY KEY, x text, made text, seq int);
        CREATE TABLE load.b (id int, x text, made text, seq int, _dms_processing_status text DEFAULT 'NEW');
        CREATE TABLE prod.c (id int PRIMARY KEY);
        CREATE TABLE load.c (id int);
        INSERT INTO prod.a VALUES (1, 'old', 'old', 1), (2, 'old', 'old', NULL);
        INSERT INTO load.a VALUES (1, 'new', 'new', 2, 'junk'), (2, 'new', 'new', 2, 'junk');
        INSERT INTO prod.b VALUES (1, 'old', 'old', 1);
        INSERT INTO load.b VALUES (1, 'new', 'new', 2);
        """
      )
      let file = """
        database: \(database.connectionString)
        staging_schema: load
        production_schema: prod
        admin_schema: log
        include: [a, b]
        batch: 7
        workers: 3
        atomic: true
        mark: none
        nulls: strict
        lock_timeout: 1234
        cleanup: true
        time_zone: Europe/Berlin
        log_format: json
        version_column: changed
        insert_only_columns: [made]
        tables:
          a: { ignore_columns: [junk] }
          b:
            version_column: seq
            insert_only_columns: []
        """
      let outcome = try await CommandLineProgram.run(
        ["--config", "mine.yaml", "--json"],
        files: ["mine.yaml": file]
      )
      #expect(outcome.status == 0)
      #expect(try database.sortedRows("TABLE prod.a") == ["(1,new,old,2)", "(2,old,old,)"])
      #expect(try database.sortedRows("TABLE prod.b") == ["(1,new,new,2)"])
      #expect(try database.number("SELECT count(*) FROM load.a") == 0)
      #expect(
        try database.sortedRows(
          """
          SELECT p ->> 'batch_rows', p ->> 'workers', p ->> 'atomic', p ->> 'mark', p ->> 'nulls',
                 p ->> 'lock_timeout_milliseconds', p ->> 'time_zone', p ->> 'cleanup'
          FROM (SELECT parameters AS p FROM log.merge_summary) AS s
          """
        ) == ["(7,3,true,none,strict,1234,Europe/Berlin,true)"]
      )
      for line in outcome.errors.split(separator: "\n") {
        #expect(try JSONValue(text: String(line))["level"].text != nil)
      }
      #expect(outcome.errors.contains("by_change"))
    }
  }

  @Test func `flags win over the file`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.fillGuideTables(orderCount: 20, customerCount: 10)
      let file = """
        database: postgresql://127.0.0.1:1/wrong
        staging_schema: wrong
        production_schema: wrong
        admin_schema: wrong
        include: [wrong]
        batch: 7
        workers: 3
        atomic: true
        mark: none
        nulls: strict
        cleanup: true
        log_format: json
        """
      let outcome = try await database.call(
        "--staging-schema",
        "staging",
        "--production-schema",
        "production",
        "--admin-schema",
        "admin",
        "--table",
        "orders",
        "--batch",
        "9",
        "--workers",
        "2",
        "--no-atomic",
        "--mark",
        "all",
        "--nulls",
        "production-loses",
        "--no-cleanup",
        "--log-format",
        "text",
        "--json",
        files: ["merge-engine.yaml": file]
      )
      let json = try outcome.json()
      #expect(outcome.status == 0)
      #expect(json["batch"].integer == 9 && json["workers"].integer == 2)
      #expect(json["tables"].elements.compactMap { $0["table"].text } == ["orders"])
      #expect(try database.staged("PROCESSED") == 20)
    }
  }

  @Test func `DATABASE_URL names the database, libpq's own variables do where it is missing`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      let byURL = try await CommandLineProgram.run(
        ["status", "--json"],
        environment: ["DATABASE_URL": database.connectionString]
      )
      #expect(try byURL.json()["tables"].elements.count == 2)
      let cluster = try await TestServer.shared()
      let byVariables = try await CommandLineProgram.run(
        ["status", "--json"],
        environment: [
          "PGHOST": cluster.socketDirectory, "PGPORT": "\(cluster.port)", "PGUSER": "postgres",
          "PGDATABASE": database.name,
        ]
      )
      #expect(try byVariables.json()["tables"].elements.count == 2)
    }
  }

  @Test func `an empty file and a file of comments change nothing`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      for text in ["", "# nothing yet\n", "---\n"] {
        #expect(try await database.call("status", "--json", files: ["merge-engine.yaml": text]).status == 0)
      }
    }
  }

  @Test(arguments: ["database", "staging_database"])
  func `a wrong connection string in the file is the file's mistake`(key: String) async throws {
    try await TestDatabase.with { database in
      let text = "\(key): 'host=/nowhere pasword=secret'\n"
      let arguments = key == "database" ? [] : ["--database", database.connectionString]
      let outcome = try await CommandLineProgram.run(["merge"] + arguments, files: ["merge-engine.yaml": text])
      #expect(outcome.status == 78, "\(outcome.transcript)")
      #expect(outcome.errors.contains("merge-engine.yaml: \(key): "), "\(outcome.transcript)")
      #expect(!outcome.transcript.contains("secret"))
    }
  }

  @Test func `a table whose namesake in staging is given to another one is named`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id int PRIMARY KEY, updated_at int); CREATE TABLE production.o (LIKE production.t INCLUDING ALL);
        CREATE TABLE staging.o (id int, updated_at int); INSERT INTO staging.o VALUES (1, 1)
        """
      )
      let text = "tables: {t: {staging_table: o}}\n"
      let plan = try await database.call("plan", files: ["merge-engine.yaml": text])
      #expect(plan.status == 0, "\(plan.transcript)")
      #expect(plan.transcript.replacing(/\s+/, with: " ").contains("production.o is not merged"), "\(plan.transcript)")
    }
  }
}
