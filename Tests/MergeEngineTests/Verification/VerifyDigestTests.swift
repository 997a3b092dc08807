import MergeEngine
import TestSupport
import Testing

/// Across two databases key, version and a digest travel: every difference is found all the same.
@Suite struct VerifyDigestTests {
  /// A type, a value of it, and another one.
  private static let values: [(type: String, value: String, other: String)] = [
    ("smallint", "1", "2"), ("integer", "1", "-1"), ("bigint", "4000000000", "4000000001"),
    ("numeric(10,2)", "1.25", "1.26"),
    ("numeric", "1.5", "1.51"), ("real", "1.5", "1.5000001"), ("double precision", "1.5", "1.5000000000000002"),
    ("boolean", "true", "false"), ("text", "a", "A"), ("varchar(10)", "ü", "u"),
    ("char(5)", "ab", "abc"), ("name", "a", "b"),
    ("bytea", "\\x00", "\\x0000"), ("date", "2025-01-01", "2025-01-02"), ("time", "10:00", "10:00:00.000001"),
    ("timetz", "10:00+01", "09:00+00"), ("timestamp", "2025-01-01", "2025-01-01 00:00:00.000001"),
    ("timestamptz", "2025-01-01 10:00+00", "2025-01-01 10:00:00.000001+00"), ("interval", "1 day", "2 days"),
    ("uuid", "5f9b0a1e-6f0b-4b7e-8b56-3d2f4f0f0a01", "5f9b0a1e-6f0b-4b7e-8b56-3d2f4f0f0a02"),
    ("json", "{\"a\": 1}", "{\"a\":  1}"), ("jsonb", "{\"a\": 1}", "{\"a\": 2}"), ("inet", "10.0.0.1", "10.0.0.1/24"),
    ("cidr", "10.0.0.0/24", "10.0.0.0/25"), ("macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    ("point", "(1,2)", "(1,3)"),
    ("integer[]", "{1,2}", "{1,NULL}"), ("text[]", "{a,b}", "{\"a,b\"}"),
    ("bit(3)", "101", "111"), ("varbit", "101", "1010"),
    ("money", "1.00", "1.01"), ("int4range", "[1,3)", "[1,4)"), ("tsvector", "a:1", "a:2"),
    ("public.mood", "sad", "glad"),
    ("public.small", "1", "2"),
  ]

  private func verification(
    _ production: TestDatabase,
    _ staging: TestDatabase,
    _ pause: HeldPause,
    _ change: (inout VerifyOptions) -> Void = { _ in }
  ) -> Task<VerifyReport, any Error> {
    var options = VerifyOptions()
    options.recheckAfterSeconds = HeldPause.seconds
    options.merge.workers = 1
    options.merge.batchRows = 300
    options.sampleLimit = 500
    change(&options)
    let verification = Verification(
      target: production.target,
      stagingTarget: staging.target,
      options: options,
      logger: .silent,
      stop: pause.stop
    )
    return Task { try await onItsOwnThread { try verification.run() } }
  }

  /// Waits for the pause before the second look, and ends it.
  ///
  /// - Returns: whether the last batch was read by digests.
  private func readsDigests(_ staging: TestDatabase, until pause: HeldPause) async throws -> Bool {
    try await pause.begin()
    defer { pause.end() }
    return try staging.holds(
      """
      EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                 AND application_name LIKE 'merge-engine verify worker%' AND query LIKE '%sha256%')
      """
    )
  }

  @Test func `a difference in a value of every type is found, a NULL on either side too, and nothing else`()
    async throws
  {
    try await TestDatabase.withPair(in: .sleeping) { production, staging in
      let types = """
        CREATE TYPE public.mood AS ENUM ('sad', 'glad');
        CREATE DOMAIN public.small AS int CHECK (value < 9);
        """
      let indices = Self.values.indices
      let columns = indices.map { "c\($0) \(Self.values[$0].type)" }.joined(separator: ", ")
      func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
      // Spread, so that no batch is different all over.
      func key(_ column: Int, _ round: Int) -> Int { 20 * column + 1000 * round + 1 }
      let values = indices.map { "\(literal(Self.values[$0].value))::\(Self.values[$0].type)" }
      let withNull = indices.map { "CASE WHEN n <> \(key($0, 2)) THEN \(values[$0]) END" }
      for (database, schema, values) in [(production, "production", values), (staging, "staging", withNull)] {
        try database.run(
          """
          \(types)
          CREATE SCHEMA \(schema);
          CREATE TABLE \(schema).t (k int PRIMARY KEY, \(columns), created_at timestamp, updated_at timestamp);
          INSERT INTO \(schema).t
          SELECT n, \(values.joined(separator: ", ")), clock_timestamp(), '2025-01-01' FROM generate_series(1, 3000) n;
          """
        )
      }
      for column in indices {
        let type = Self.values[column].type
        try production.run(
          """
          UPDATE production.t SET c\(column) = \(literal(Self.values[column].other))::\(type) WHERE k = \(key(column, 0));
          UPDATE production.t SET c\(column) = NULL WHERE k = \(key(column, 1));
          """
        )
      }
      let pause = HeldPause()
      let verifying = verification(production, staging, pause) { $0.mark = MergeOptions.Mark.none }
      #expect(try await readsDigests(staging, until: pause))
      let report = try await verifying.value
      let table = report.tables[0]
      #expect(table.counts.read == 3000 && table.counts.equal == 3000 - 3 * indices.count)
      #expect(table.counts.differing == 3 * indices.count)
      let found = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.column, $0.rows) })
      for column in indices { #expect(found["c\(column)"] == 3, "\(Self.values[column])") }
      #expect(found.count == indices.count)
    }
  }

  @Test(arguments: ["int", "text"])
  func `missing, older, newer and changed rows are told apart by key, version and digest`(_ key: String) async throws {
    try await TestDatabase.withPair(in: .sleeping) { production, staging in
      try production.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (k \(key) PRIMARY KEY, a text, updated_at int)"
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (k \(key), a text, updated_at int);
        INSERT INTO staging.t SELECT n, 'a' || n, 5 FROM generate_series(1, 2000) n;
        """
      )
      let there = ["--staging-database", staging.connectionString]
      #expect(try await production.call("merge", arguments: there).status == 0)
      try production.run(
        """
        DELETE FROM production.t WHERE k IN ('7', '1007');
        UPDATE production.t SET updated_at = 4 WHERE k = '20';
        UPDATE production.t SET updated_at = 6, a = 'cdc' WHERE k IN ('30', '1030');
        UPDATE production.t SET a = 'other' WHERE k IN ('40', '1999');
        """
      )
      let file = DifferencesFile()
      let pause = HeldPause()
      let verifying = verification(production, staging, pause) { $0.outputPath = file.path }
      #expect(try await readsDigests(staging, until: pause))
      let counts = try await verifying.value.tables[0].counts
      #expect(try file.found() == ["differing 1999", "differing 40", "missing 1007", "missing 7", "outdated 20"])
      #expect(counts.productionNewer == 2 && counts.equal == 1993)
    }
  }

  @Test func `values that are equal in other bytes are no difference, and are soon compared by value`() async throws {
    try await TestDatabase.withPair(in: .sleeping) { production, staging in
      try production.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (k int PRIMARY KEY, a numeric, updated_at int);
        INSERT INTO production.t SELECT n, 1.00, 1 FROM generate_series(1, 2000) n;
        UPDATE production.t SET a = 1.01 WHERE k IN (1, 1999);
        """
      )
      try staging.run(
        """
        CREATE SCHEMA staging; CREATE TABLE staging.t (k int, a numeric, updated_at int);
        INSERT INTO staging.t SELECT n, 1.0, 1 FROM generate_series(1, 2000) n;
        """
      )
      let pause = HeldPause()
      let verifying = verification(production, staging, pause) { $0.mark = MergeOptions.Mark.none }
      #expect(try await !readsDigests(staging, until: pause))
      let counts = try await verifying.value.tables[0].counts
      #expect(counts.differing == 2 && counts.equal == 1998)
    }
  }
}
