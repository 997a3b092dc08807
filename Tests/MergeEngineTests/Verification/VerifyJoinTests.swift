import MergeEngine
import TestSupport
import Testing

/// In one database the server joins both sides by ranges of keys, and finds what the client finds.
@Suite struct VerifyJoinTests {
  private func found(_ report: VerifyReport) -> [String] {
    report.tables.flatMap { table in
      table.samples.map { sample in
        let key = sample.key.sorted { $0.key < $1.key }.map { $0.value ?? "NULL" }.joined(separator: "/")
        return "\(sample.kind.rawValue) \(key)"
      }
    }.sorted()
  }

  /// Whether the workers of a verification that pauses have joined within the server.
  private func hasJoined(_ database: TestDatabase) throws -> Bool {
    try database.holds(
      """
      (SELECT count(*) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'merge-engine verify%' AND query LIKE '%enable_mergejoin%') > 0
      """
    )
  }

  /// Verifies with a pause, during which is asked how the rows were compared.
  private func verify(_ database: TestDatabase) async throws -> (report: VerifyReport, isJoined: Bool) {
    let pause = HeldPause()
    let verifying = database.verifying(pause: pause) {
      $0.sampleLimit = 100
      $0.merge.batchRows = 200
    }
    try await pause.begin()
    let isJoined = try hasJoined(database)
    pause.end()
    return (try await verifying.value, isJoined)
  }

  /// A pair of tables, and whether the server can compare it by itself.
  struct Shape: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var key = "k int"
    var stagingKey: String?
    var keyValue = "n"
    var constraint = "PRIMARY KEY (k)"
    var stagingConstraint: String?
    let isJoined: Bool
  }

  @Test(arguments: [
    Shape(testDescription: "dense integers", isJoined: true),
    Shape(testDescription: "one in fifty", keyValue: "n * 50", isJoined: true),
    Shape(testDescription: "texts", key: "k text", keyValue: "'Key ' || n", isJoined: true),
    Shape(testDescription: "uuids", key: "k uuid", keyValue: "md5(n::text)::uuid", isJoined: true),
    Shape(
      testDescription: "two columns",
      key: "k int, l date",
      keyValue: "n / 7, date '2025-01-01' + n % 7",
      constraint: "PRIMARY KEY (k, l)",
      isJoined: true
    ),
    Shape(testDescription: "a unique index", stagingConstraint: "UNIQUE (k)", isJoined: false),
    Shape(testDescription: "no key", stagingConstraint: "CHECK (true)", isJoined: false),
    Shape(testDescription: "another type", key: "k bigint", stagingKey: "k int", isJoined: false),
    Shape(
      testDescription: "another collation",
      key: "k text",
      stagingKey: "k text COLLATE \"C\"",
      keyValue: "'Key ' || n",
      isJoined: false
    ),
    Shape(testDescription: "padded texts", key: "k char(9)", keyValue: "n::text", isJoined: false),
  ])
  func `every planted fault is found, and nothing else`(_ shape: Shape) async throws {
    try await TestDatabase.with(in: .sleeping) { database in
      let columns = "a text, b numeric(10,2), c jsonb, d json, e text, created_at int, updated_at timestamp"
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (\(shape.key), \(columns), \(shape.constraint));
        CREATE TABLE staging.t (\(shape.stagingKey ?? shape.key), \(columns), \(shape.stagingConstraint ?? shape.constraint));
        INSERT INTO staging.t
        SELECT \(shape.keyValue), 'a' || n, n, jsonb_build_object('n', n), '{"n": 1}', CASE WHEN n % 2 = 0 THEN 'e' END, n,
               CASE WHEN n % 10 > 0 THEN timestamp '2025-01-01' END
        FROM generate_series(1, 3000) n ORDER BY hashint4(n);
        ANALYZE staging.t
        """
      )
      try await database.merge()
      try database.run(
        """
        INSERT INTO production.t SELECT \(shape.keyValue), 'other' FROM generate_series(3001, 3500) n;
        ANALYZE production.t;
        -- Each by a value that the key does not depend on.
        UPDATE production.t SET a = 'x' WHERE created_at = 7;
        UPDATE production.t SET c = '{}' WHERE created_at = 8;
        UPDATE production.t SET d = '{"n":  1}' WHERE created_at = 9;
        UPDATE production.t SET e = 'not NULL' WHERE created_at = 11;
        UPDATE production.t SET e = NULL WHERE created_at = 12;
        UPDATE production.t SET b = NULL WHERE created_at = 20;
        UPDATE production.t SET updated_at = '2024-01-01' WHERE created_at = 13;
        UPDATE production.t SET updated_at = '2026-01-01', a = 'cdc' WHERE created_at = 14;
        UPDATE production.t SET updated_at = '2026-01-01', a = 'cdc' WHERE created_at = 30;
        UPDATE production.t SET created_at = -1 WHERE created_at = 15;
        DELETE FROM production.t WHERE created_at IN (1, 1500, 3000);
        """
      )
      let (report, isJoined) = try await verify(database)
      #expect(isJoined == shape.isJoined)
      let counts = report.tables[0].counts
      #expect(counts.read == 3000)
      #expect(counts.missing == 3)
      #expect(counts.outdated == 1)
      #expect(counts.differing == 6, "\(found(report))")
      #expect(counts.productionNewer == 2)
      #expect(counts.equal == 2988)
      #expect(
        report.tables[0].columns.map { "\($0.column) \($0.rows)" }.sorted() == ["a 1", "b 1", "c 1", "d 1", "e 2"]
      )
    }
  }

  @Test func `rows that are not merged, refused, or outside the window are not compared`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text CHECK (a <> 'bad'), updated_at int"
      try database.makePair(production: columns, staging: "k int PRIMARY KEY, a text, updated_at int")
      try database.run(
        "INSERT INTO staging.t SELECT n, CASE n WHEN 5 THEN 'bad' ELSE 's' END, n FROM generate_series(1, 1000) n"
      )
      try await database.merge()
      try database.run(
        "INSERT INTO staging.t SELECT n, 'late', n FROM generate_series(1001, 1100) n; DELETE FROM production.t WHERE k IN (10, 900)"
      )
      let all = try await database.verify()
      #expect(found(all) == ["missing 10", "missing 900"])
      #expect(all.tables[0].counts.read == 999)
      #expect(all.tables[0].notCompared == nil || all.tables[0].notCompared?.refused == 1)
      #expect(all.tables[0].notCompared?.unread == 100)
      let window = try await database.verify { $0.merge.to = "500" }
      #expect(found(window) == ["missing 10"])
      #expect(window.tables[0].counts.read == 498)
    }
  }

  /// Such bytes have no place in a statement's text, so no range can end at them.
  @Test(arguments: [
    "E'\\xe4' || n", "'k' || n || E'\\xe4'", "'k' || n || CASE WHEN n % 3 = 0 THEN E'\\xff' ELSE '' END",
  ])
  func `keys that are no UTF-8 are compared too`(key: String) async throws {
    try await TestDatabase.with(.sqlASCII) { database in
      let columns = "k text PRIMARY KEY, a text, updated_at timestamp"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        SET client_encoding = SQL_ASCII;
        INSERT INTO staging.t SELECT \(key), 's', '2025-01-01' FROM generate_series(1, 900) n;
        ANALYZE staging.t
        """
      )
      #expect(try await database.merge().totals.inserted == 900)
      let whole = try await database.verify { $0.merge.batchRows = 100 }
      #expect(whole.status == .success && whole.tables[0].counts.equal == 900)
      try database.run(
        """
        DELETE FROM production.t WHERE k IN (SELECT min(k) FROM staging.t UNION SELECT max(k) FROM staging.t);
        UPDATE production.t SET a = 'x' WHERE k = (SELECT k FROM staging.t ORDER BY k OFFSET 450 LIMIT 1)
        """
      )
      let report = try await database.verify { $0.merge.batchRows = 100 }
      #expect(report.status == .different)
      let counts = report.tables[0].counts
      #expect(counts.read == 900 && counts.missing == 2 && counts.differing == 1, "\(counts)")
      #expect(report.tables[0].notCompared?.unread == 0)
    }
  }

  /// Of types without an equality, and of texts in another collation, the bytes are compared, which the server does for one type only.
  @Test(arguments: [
    ("json", "json", "'{\"a\": 1}'", "'[]'"),
    ("point", "point", "'(1,2)'", "'(2,1)'"),
    ("production.pair", "production.pair", "'(1,a)'", "'(1,b)'"),
    ("text", "text COLLATE \"C\"", "'a'", "'b'"),
    ("varchar(5)", "varchar(5) COLLATE \"C\"", "'a'", "'b'"),
    ("char(5)", "char(5) COLLATE \"C\"", "'a'", "'b'"),
  ])
  func `a domain is compared as the type beneath it`(base: String, staged: String, value: String, other: String)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TYPE production.pair AS (n int, t text);
        CREATE DOMAIN production.d AS \(base);
        CREATE TABLE production.t (k int PRIMARY KEY, j production.d, updated_at timestamp);
        CREATE TABLE staging.t (k int PRIMARY KEY, j \(staged), updated_at timestamp);
        INSERT INTO staging.t SELECT n, CASE WHEN n > 2 THEN \(value)::\(base) END, '2025-01-01' FROM generate_series(1, 10) n;
        """
      )
      #expect(try await database.merge().totals.inserted == 10)
      #expect(try await database.verify().status == .success)
      try database.run(
        """
        UPDATE production.t SET j = \(value) WHERE k = 1;
        UPDATE production.t SET j = NULL WHERE k = 3;
        UPDATE production.t SET j = \(other) WHERE k = 4
        """
      )
      let report = try await database.verify()
      #expect(found(report) == ["differing 1", "differing 3", "differing 4"])
      #expect(report.tables[0].counts.equal == 7)
    }
  }
}
