import Foundation
import MergeEngine
import TestSupport
import Testing

/// Production larger than the server's memory: batches follow its keys, and the ledger says stretches of keys.
@Suite struct KeyOrderedMergeTests {
  private static let rowCount = 4000
  private static let batch = ["--batch", "500", "--max-lock-time", "60000", "--json"]

  /// A server with 4 MB of memory, production with 40,000 rows of 6 MB, and every tenth of them in staging, in no order, half of
  /// them newer.
  private static func withCold(
    key: String = "k int",
    primaryKey: String = "k",
    values: String = "n * 10",
    status: Bool = false,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    let settings = ["shared_buffers": "4MB", "effective_cache_size": "4MB", "deadlock_timeout": "60s"]
    try await TestServer.withOwn(settings: settings) { cluster async throws in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(key), v text, updated_at timestamp, PRIMARY KEY (\(primaryKey)));
        CREATE TABLE staging.t (\(key), v text, updated_at timestamp
                                \(status ? ", _dms_processing_status varchar(20) DEFAULT 'NEW'" : "")) WITH (fillfactor = 10);
        INSERT INTO production.t
        SELECT \(values.replacing("n * 10", with: "n")), repeat('x', 120), '2025-01-01' FROM generate_series(1, \(10 * rowCount)) AS n;
        INSERT INTO staging.t
        SELECT \(values), 'staged', timestamp '2025-01-01' + n % 2 * interval '1 day'
        FROM generate_series(1, \(rowCount)) AS n ORDER BY md5(n::text);
        """
      )
      try database.run("VACUUM ANALYZE")
      #expect(try await database.call("init").status == 0)
      try await body(database)
    }
  }

  private static let keyEntries = "SELECT count(*) FROM admin.merge_progress WHERE key_columns IS NOT NULL"

  @Test(arguments: [false, true])
  func `batches follow production's keys, each row is merged once, and nothing is left to read`(status: Bool)
    async throws
  {
    try await Self.withCold(status: status) { database in
      let outcome = try await database.call(arguments: Self.batch)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let json = try outcome.json()
      #expect(json["totals"]["read"].integer == Self.rowCount)
      #expect(json["totals"]["updated"].integer == Self.rowCount / 2)
      #expect(json["totals"]["unchanged"].integer == Self.rowCount / 2)
      let table = try #require(json["tables"].elements.first)
      let visited = try #require(table["pages_visited"].integer)
      #expect((1...visited).contains(try #require(table["pages_read"].integer)))
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'staged'") == Self.rowCount / 2)
      #expect(try database.count(Self.keyEntries) >= Self.rowCount / 500)
      #expect(
        try database.count(
          """
          SELECT count(*) FROM admin.merge_progress a JOIN admin.merge_progress b
            ON a.id < b.id AND a.key_start < coalesce(b.key_end, '{2000000000}') AND b.key_start < coalesce(a.key_end, '{2000000000}')
          """
        ) == 0
      )
      #expect(
        try database.count("SELECT sum(records) FROM admin.merge_progress WHERE key_columns IS NOT NULL")
          == Self.rowCount
      )
      if status {
        #expect(try database.holds("NOT EXISTS (SELECT FROM staging.t WHERE _dms_processing_status <> 'PROCESSED')"))
      }
      try database.run("VACUUM FULL staging.t")
      #expect(try await database.merge().totals.read == 0)
    }
  }

  @Test func `a plan says that production is larger than memory, and how much of it was read`() async throws {
    try await Self.withCold { database in
      let plan = try await database.call("plan", "--json")
      #expect(plan.status == 0, "\(plan.transcript)")
      let messages = try plan.json()["findings"].elements.compactMap { $0["message"].text }
      #expect(messages.contains { $0.contains("is likely to be cold") && $0.contains("read ahead") })
      #expect(
        messages.contains {
          $0.wholeMatch(of: /cold: [0-9]+ % of the pages had to be read .* by this dry run\./) != nil
        }
      )
      #expect(try plan.json()["totals"]["updated"].integer == Self.rowCount / 2)
    }
  }

  @Test(arguments: [(false, "k int"), (true, "k int"), (false, "k numeric")])
  func
    `after a crash in the middle just the rest is read, and what was added or changed within the stretches that are done`(
      status: Bool,
      key: String
    ) async throws
  {
    try await Self.withCold(key: key, status: status) { database in
      let merge = try database.launch(["--batch", "200", "--max-rows-per-second", "200", "--max-lock-time", "60000"])
      try await database.wait(
        for: "(SELECT sum(records_read) FROM admin.merge_logs) >= 600"
      )
      merge.send(9)
      _ = try await merge.outcome()
      try await database.wait(
        for: "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run %')"
      )
      let done = try database.count("SELECT sum(records_read) FROM admin.merge_logs")
      #expect((600..<Self.rowCount).contains(done))
      #expect(try database.count(Self.keyEntries) > 0)
      let view = "SELECT pending_records FROM admin.oracle_pg_migration_status WHERE table_name = 't'"
      #expect(try database.count(view) == Self.rowCount - done)
      // The lowest keys are done.
      try database.run(
        """
        UPDATE staging.t SET v = 'changed', updated_at = '2025-03-01' WHERE k = 10;
        INSERT INTO staging.t (k, v, updated_at) VALUES (15, 'added', '2025-03-01')
        """
      )
      #expect(try database.count(view) == Self.rowCount - done + 2)
      let outcome = try await database.call(arguments: Self.batch)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["read"].integer == Self.rowCount - done + 2)
      #expect(
        try database.rows("SELECT k, v FROM production.t WHERE k IN (10, 15) ORDER BY k") == [
          "(10,changed)", "(15,added)",
        ]
      )
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'staged'") == Self.rowCount / 2 - 1)
      #expect(try await database.merge().totals.read == 0)
      #expect(try database.count(view) == 0)
    }
  }

  @Test func `a key with more rows than a batch may have, and rows without a key, are read as they lie`() async throws {
    try await Self.withCold { database in
      try database.run(
        """
        INSERT INTO staging.t SELECT 77, 'many', timestamp '2025-02-01' + n * interval '1 second' FROM generate_series(1, 1200) AS n;
        INSERT INTO staging.t VALUES (NULL, 'none', '2025-02-01')
        """
      )
      let outcome = try await database.call(arguments: Self.batch)
      #expect(outcome.status == 65, "\(outcome.transcript)")
      let totals = try outcome.json()["totals"]
      #expect(totals["read"].integer == Self.rowCount + 1201)
      #expect(totals["errors"].integer == 1)
      #expect(totals["pending"].integer == 0)
      #expect(try database.value("SELECT updated_at FROM production.t WHERE k = 77") == "2025-02-01 00:20:00")
      #expect(try database.count(Self.keyEntries) > 0)
      #expect(try await database.call("--json").json()["totals"]["read"].integer == 0)
    }
  }

  /// As Oracle's NUMBER becomes.
  @Test func `of numeric keys the whole numbers are followed, and all others are read as they lie`() async throws {
    try await Self.withCold(key: "k numeric") { database in
      let others = ["1.5", "2.5", "-0.5", "1e30", "-1e30", "'NaN'", "'Infinity'", "'-Infinity'"]
      for key in others { try database.run("INSERT INTO staging.t VALUES (\(key), 'odd', '2025-02-01')") }
      // Equal to a key that is there, in other bytes.
      try database.run("INSERT INTO staging.t VALUES (20.00, 'equal', '2025-02-01'), (30.000, 'older', '2024-02-01')")
      let outcome = try await database.call(arguments: Self.batch)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let totals = try outcome.json()["totals"]
      #expect(totals["read"].integer == Self.rowCount + others.count + 2)
      #expect(totals["inserted"].integer == others.count)
      #expect(totals["pending"].integer == 0)
      #expect(
        try database.count("SELECT sum(records) FROM admin.merge_progress WHERE key_columns IS NOT NULL")
          == Self.rowCount + 2
      )
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'odd'") == others.count)
      #expect(try database.rows("SELECT v FROM production.t WHERE k = 20") == ["(equal)"])
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'older'") == 0)
      #expect(try await database.call("--json").json()["totals"]["read"].integer == 0)
    }
  }

  /// A stretch that was done before a crash, told apart row by row in SQL.
  @Test func `what is pending of numeric keys is counted by the view`() async throws {
    try await Self.withCold(key: "k numeric(14,2)") { database in
      try database.run("INSERT INTO staging.t VALUES (1.5, 'odd', '2025-02-01'), (10.25, 'odd', '2025-02-01')")
      let outcome = try await database.call(arguments: Self.batch)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      // As a crash before the second round leaves it.
      try database.run(
        "DELETE FROM admin.merge_progress WHERE key_columns IS NULL; UPDATE admin.merge_progress SET superseded_at = NULL"
      )
      #expect(try database.count("SELECT pending_records FROM admin.oracle_pg_migration_status") == 2)
      #expect(try await database.call("--json").json()["totals"]["read"].integer == 2)
    }
  }

  @Test(arguments: ["a int, b smallint", "a numeric, b int", "a numeric(9,2), b numeric(9)"])
  func `keys of two columns are followed, and a refused row is recorded alone`(key: String) async throws {
    try await Self.withCold(key: key, primaryKey: "a, b", values: "n * 10 / 30, n * 10 % 30") {
      database in
      try database.run(
        "ALTER TABLE production.t ADD CHECK (v <> 'bad'); UPDATE staging.t SET v = 'bad' WHERE a % 100 = 7 AND b = 0"
      )
      let badCount = try database.count("SELECT count(*) FROM staging.t WHERE v = 'bad' AND updated_at > '2025-01-01'")
      #expect(badCount > 0)
      let outcome = try await database.call(arguments: Self.batch)
      #expect(outcome.status == 65, "\(outcome.transcript)")
      let totals = try outcome.json()["totals"]
      #expect(totals["read"].integer == Self.rowCount)
      #expect(totals["errors"].integer == badCount)
      #expect(totals["updated"].integer == Self.rowCount / 2 - badCount)
      #expect(try database.count(Self.keyEntries) > 0)
      #expect(try await database.call("--json").json()["totals"]["read"].integer == 0)
    }
  }

  /// Keys of text, in a collation whose order is not that of the bytes, and of uuid.
  @Test(arguments: [
    ("k text", "k", "md5((n * 10)::text)"), ("k varchar(40)", "k", "concat('ö-', n * 10, E'\\'\"\\\\ ')"),
    ("k uuid", "k", "md5((n * 10)::text)::uuid"), ("a int, b text", "a, b", "n * 10 % 7, md5((n * 10)::text)"),
    ("a uuid, b numeric", "a, b", "md5((n * 10 / 30)::text)::uuid, n * 10 % 30 + 0.5"),
  ])
  func `keys of text and uuid are followed, and the view counts what a crash has left`(
    _ key: String,
    _ primaryKey: String,
    _ values: String
  ) async throws {
    try await Self.withCold(key: key, primaryKey: primaryKey, values: values) { database in
      let nulls = primaryKey.split(separator: ",").map { _ in "NULL" }.joined(separator: ", ")
      try database.run("INSERT INTO staging.t VALUES (\(nulls), 'none', '2025-02-01')")
      let merge = try database.launch(["--batch", "200", "--max-rows-per-second", "400", "--max-lock-time", "60000"])
      try await database.wait(for: "(SELECT sum(records_read) FROM admin.merge_logs) >= 600")
      merge.send(9)
      _ = try await merge.outcome()
      try await database.wait(
        for: "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run %')"
      )
      let done = try database.count("SELECT sum(records) FROM admin.merge_progress WHERE key_text_start IS NOT NULL")
      #expect((600..<Self.rowCount).contains(done))
      let view = "SELECT pending_records FROM admin.oracle_pg_migration_status WHERE table_name = 't'"
      #expect(try database.count(view) == Self.rowCount + 1 - done)
      let outcome = try await database.call(arguments: Self.batch)
      #expect(outcome.status == 65, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["read"].integer == Self.rowCount + 1 - done)
      #expect(try outcome.json()["totals"]["errors"].integer == 1)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'staged'") == Self.rowCount / 2)
      #expect(try await database.call("--json").json()["totals"]["read"].integer == 0)
      #expect(try database.count(view) == 0)
    }
  }

  @Test func `staging on another database is followed too`() async throws {
    try await Self.withCold { database in
      try database.run("CREATE DATABASE load")
      let load = try TestDatabase(
        connectionString: database.connectionString.replacing("dbname='postgres'", with: "dbname='load'")
      )
      try load.run(
        "CREATE SCHEMA staging; CREATE TABLE staging.t (k int, v text, updated_at timestamp) WITH (fillfactor = 10)"
      )
      try load.run(
        """
        INSERT INTO staging.t SELECT n * 10, 'elsewhere', timestamp '2025-06-01' FROM generate_series(1, \(Self.rowCount)) AS n
        ORDER BY md5(n::text)
        """
      )
      let outcome = try await database.call(arguments: Self.batch + ["--staging-database", load.connectionString])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["updated"].integer == Self.rowCount)
      #expect(try database.count(Self.keyEntries) > 0)
      let again = try await database.call("--json", "--staging-database", load.connectionString)
      #expect(try again.json()["totals"]["read"].integer == 0)
    }
  }

  private static func keyReads(_ figure: String) -> String {
    "SELECT \(figure) FROM pg_stat_all_indexes WHERE indexrelid = 'production.t_pkey'::regclass"
  }

  @Test(arguments: [
    ("k int", "k", "n * 10"), ("k text", "k", "(n * 10)::text"),
    ("a int, b smallint", "a, b", "n * 10 / 30, n * 10 % 30"),
    ("k uuid", "k", "md5((n * 10)::text)::uuid"), ("k numeric", "k", "n * 10"),
    ("a numeric, b numeric", "a, b", "n * 10 / 30, n * 10 % 30"),
  ])
  func `look-ups read ahead, for keys of every kind`(_ key: String, _ primaryKey: String, _ values: String) async throws
  {
    try await Self.withCold(key: key, primaryKey: primaryKey, values: values) { database in
      // As many rows as one batch has where memory is short: where pages come out of the operating system's memory the table
      // turns out to be warm after it. Nothing is written, so that no index scan is an update's.
      try database.run(
        "DELETE FROM staging.t WHERE ctid > (SELECT ctid FROM staging.t ORDER BY ctid OFFSET 399 LIMIT 1)"
      )
      try database.run("UPDATE staging.t SET updated_at = '2025-01-01'")
      try database.run("VACUUM FULL ANALYZE staging.t")
      try database.run("SELECT pg_stat_reset()")
      let outcome = try await database.call("--batch", "5000", "--workers", "1", "--max-lock-time", "60000", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["totals"]["unchanged"].integer == 400)
      #expect(try outcome.json()["totals"]["batches"].integer == 1)
      try await database.wait(for: "(\(Self.keyReads("idx_tup_read"))) >= 400")
      #expect(try database.count(Self.keyReads("idx_tup_fetch")) == 0)
    }
  }
}
