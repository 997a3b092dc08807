import MergeEngine
import TestSupport
import Testing

/// `verify` finds what is wrong with merged rows, by key, and nothing else.
@Suite struct VerifyRowTests {
  /// Kind and key of every sample, sorted.
  private func found(_ report: VerifyReport) -> [String] {
    report.tables.flatMap { table in
      table.samples.map { "\($0.kind.rawValue) \($0.key.sorted { $0.key < $1.key }.map { $0.value ?? "NULL" })" }
    }.sorted()
  }

  /// A key type, and key number n of it.
  struct Key: Sendable, CustomTestStringConvertible {
    var testDescription: String { type }
    let type: String
    let value: String
  }

  static let keys = [
    Key(type: "int", value: "n - 500"), Key(type: "bigint", value: "n * 4000000000 - 5"),
    Key(type: "smallint", value: "n - 500"), Key(type: "text", value: "'Key ' || n"),
    Key(type: "numeric", value: "n / 8.0"), Key(type: "uuid", value: "md5(n::text)::uuid"),
    Key(type: "timestamp", value: "'2025-01-01'::timestamp - n * interval '1 h'"),
    Key(type: "char(9)", value: "n::text"),
  ]

  @Test(arguments: keys)
  func `a changed value, a missing row and an older row are found among many`(_ key: Key) async throws {
    try await TestDatabase.with { database in
      let columns = "k \(key.type) PRIMARY KEY, a text, b numeric(10,2), updated_at timestamp"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT \(key.value), 'a' || n, n, '2025-01-01' FROM generate_series(1, 2000) n
        ORDER BY hashint4(n);
        INSERT INTO production.t SELECT \(key.value), 'other', n, '2025-01-01' FROM generate_series(2001, 2500) n;
        """
      )
      try await database.merge { $0.batchRows = 300 }
      #expect(try await database.verify { $0.merge.batchRows = 300 }.status == .success)
      func id(_ n: Int) -> String { "(SELECT (\(key.value))::\(key.type) FROM (SELECT \(n) AS n) x)" }
      try database.run(
        """
        UPDATE production.t SET a = 'changed' WHERE k = \(id(7));
        DELETE FROM production.t WHERE k = \(id(1000));
        UPDATE production.t SET updated_at = '2024-12-31' WHERE k = \(id(1999));
        UPDATE production.t SET updated_at = '2025-01-02', a = 'cdc' WHERE k = \(id(12));
        """
      )
      let report = try await database.verify {
        $0.merge.batchRows = 300
      }
      func text(_ n: Int) throws -> String { try database.value("SELECT \(id(n))::text") ?? "" }
      #expect(report.status == .different)
      #expect(
        found(report) == [
          try "differing [\"\(text(7))\"]", try "missing [\"\(text(1000))\"]", try "outdated [\"\(text(1999))\"]",
        ]
      )
      let counts = report.tables[0].counts
      #expect(counts.read == 2000)
      #expect(counts.equal == 1996)
      #expect(counts.productionNewer == 1)
      #expect(report.tables[0].columns.map(\.column) == ["a"])
      #expect(report.tables[0].columns[0].rows == 1)
      #expect(try report.tables[0].columns[0].sampleKeys == [["k": text(7)]])
    }
  }

  @Test func `production much denser than staging is compared all the same`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO production.t SELECT n, 'p', 1 FROM generate_series(1, 20000) n;
        INSERT INTO staging.t SELECT n * 40, 's', 2 FROM generate_series(1, 500) n;
        """
      )
      try await database.merge()
      try database.run(
        "UPDATE production.t SET a = 'x' WHERE k IN (40, 20000); DELETE FROM production.t WHERE k = 10000"
      )
      let report = try await database.verify()
      #expect(found(report) == ["differing [\"20000\"]", "differing [\"40\"]", "missing [\"10000\"]"])
    }
  }

  @Test func `a difference that CDC mends during the pause is none`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 's', 1 FROM generate_series(1, 10) n")
      try await database.merge()
      try database.run("UPDATE production.t SET a = 'x' WHERE k IN (1, 3); DELETE FROM production.t WHERE k = 2")
      let pause = HeldPause()
      let verify = database.verifying(pause: pause)
      // What it has spent since the last difference is taken off.
      #expect((HeldPause.seconds - 60...HeldPause.seconds).contains(try await pause.begin()))
      try database.run("UPDATE production.t SET a = 's' WHERE k = 1; INSERT INTO production.t VALUES (2, 'cdc', 2)")
      pause.end()
      let report = try await verify.value
      #expect(found(report) == ["differing [\"3\"]"])
      #expect(report.tables[0].counts.productionNewer == 1)
    }
  }

  @Test func `equal values in other bytes and insert-only columns are no difference`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a numeric, b jsonb, c interval, d numeric[], created_at int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, 1.0, '{"a": 1.0}', '30 days', '{1.0}', 1, 1), (2, 1, '{}', '1 day', '{2}', 1, 1);
        INSERT INTO production.t VALUES (1, 1.00, '{"a": 1}', '1 month', '{1}', 2, 1), (2, 1, '{}', '2 days', '{3}', 2, 1);
        """
      )
      let report = try await database.verify { $0.mark = MergeOptions.Mark.none }
      #expect(found(report) == ["differing [\"2\"]"])
      #expect(report.tables[0].columns.map(\.column) == ["c", "d"])
      #expect(report.tables[0].samples[0].columns.map(\.column) == ["c", "d"])
    }
  }

  @Test func `only merged rows are compared, and without marks all`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.t VALUES (1, 1), (2, 1), (3, 1);
        UPDATE staging.t SET _dms_processing_status = 'PROCESSED' WHERE k = 1;
        UPDATE staging.t SET _dms_processing_status = 'ERROR' WHERE k = 2;
        """
      )
      #expect(try await found(database.verify()) == ["missing [\"1\"]"])
      #expect(
        try await found(database.verify { $0.mark = MergeOptions.Mark.none }) == ["missing [\"1\"]", "missing [\"3\"]"]
      )
      try database.run("TRUNCATE staging.t; INSERT INTO staging.t VALUES (9, 1)")
      let report = try await database.verify()
      #expect(report.status == .nothingCompared)
      #expect(report.findings.contains { $0.message.contains("no merged row") })
      // A run that set no marks is remembered.
      try await database.merge { $0.mark = .none }
      try database.run("DELETE FROM production.t")
      #expect(try await found(database.verify()) == ["missing [\"9\"]"])
    }
  }

  @Test func `older duplicates of a key are no difference`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, a text, updated_at int",
        staging: "k int, a text, updated_at int"
      )
      try database.run(
        "INSERT INTO staging.t SELECT n % 50, 'v' || n, n FROM generate_series(1, 500) n; "
      )
      try await database.merge { $0.batchRows = 40 }
      let report = try await database.verify { $0.merge.batchRows = 40 }
      #expect(report.status == .success)
      #expect(report.tables[0].counts.read == 500)
      #expect(report.tables[0].counts.productionNewer + report.tables[0].counts.superseded == 450)
    }
  }

  @Test func `a production row without a version is as the null rule says`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, 1); INSERT INTO production.t VALUES (1, NULL)")
      try database.run("UPDATE staging.t SET _dms_processing_status = 'PROCESSED'")
      #expect(try await found(database.verify()) == ["outdated [\"1\"]"])
      #expect(try await database.verify { $0.merge.nulls = .strict }.status == .success)
    }
  }

  @Test func `samples are few and counts are whole`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a int, b int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT n, 1, 1, 1 FROM generate_series(1, 30000) n;
        INSERT INTO production.t SELECT n, 2, CASE WHEN n % 2 = 0 THEN 1 ELSE 3 END, 1 FROM generate_series(1, 25000) n;
        UPDATE staging.t SET _dms_processing_status = 'PROCESSED';
        """
      )
      let report = try await database.verify { $0.sampleLimit = 2 }
      #expect(report.tables[0].counts.missing == 5000)
      #expect(report.tables[0].counts.differing == 25000)
      #expect(report.tables[0].columns.map { "\($0.column) \($0.rows)" } == ["a 25000", "b 12500"])
      #expect(report.tables[0].samples.count <= 8)
    }
  }

  @Test func `where all rows are compared one that can't be read is named and hides nothing`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, a int, updated_at int",
        staging: "k int, a text, updated_at int"
      )
      try database.run(
        "INSERT INTO staging.t SELECT n, CASE n WHEN 7 THEN 'seven' ELSE n::text END, 1 FROM generate_series(1, 500) n"
      )
      try database.run("INSERT INTO production.t SELECT n, n, 1 FROM generate_series(1, 500) n WHERE n <> 7")
      let report = try await database.verify {
        $0.mark = MergeOptions.Mark.none
        $0.merge.batchRows = 100
      }
      #expect(report.status == .success)
      #expect(report.tables[0].counts.read == 500)
      #expect(report.tables[0].counts.equal == 499)
      #expect(report.tables[0].counts.unreadable == 1)
      #expect(found(report) == ["unreadable [\"7\"]"])
      #expect(
        report.tables[0].samples[0].message == "invalid input syntax for type integer: \"seven\" (SQLSTATE 22P02)"
      )
      #expect(report.findings.map(\.message).contains { $0.hasPrefix("1 row of staging.t can't be read as the types") })
      try database.run("UPDATE production.t SET a = 0 WHERE k = 8")
      #expect(
        try await found(database.verify { $0.mark = MergeOptions.Mark.none })
          == ["differing [\"8\"]", "unreadable [\"7\"]"]
      )
      // What a merge has refused stands refused, and was not merged: it is not compared.
      #expect(try await database.merge().totals.errors == 1)
      let merged = try await database.verify()
      #expect(found(merged) == ["differing [\"8\"]"])
      #expect(merged.standingErrors == 1)
    }
  }

  @Test func `differences whose staging rows are gone at the second look are told`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, a text, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 's', 1 FROM generate_series(1, 10) n")
      try await database.merge()
      try database.run("UPDATE production.t SET a = 'x' WHERE k IN (1, 3)")
      let pause = HeldPause()
      let verify = database.verifying(pause: pause)
      try await pause.begin()
      try database.run("TRUNCATE staging.t")
      pause.end()
      let report = try await verify.value
      #expect(report.tables[0].counts.vanished == 2)
      #expect(report.tables[0].counts.equal == 8)
      #expect(
        report.findings.map(\.message).contains { $0.hasPrefix("2 rows of staging.t that differed from production") }
      )
    }
  }

  @Test func `of rows as new with keys that are equal in other bytes, the one that lost is no difference`() async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k numeric PRIMARY KEY, a text, updated_at int",
        staging: "k numeric, a text, updated_at int"
      )
      try database.run(
        "INSERT INTO staging.t VALUES (1.0, 'same', 1), (1.00, 'same', 1), (2.0, 'first', 1), (2.00, 'second', 1)"
      )
      let merge = try await database.merge()
      #expect(merge.totals.inserted == 2)
      #expect(merge.totals.duplicate == 2)
      let report = try await database.verify()
      #expect(report.status == .success)
      #expect(report.tables[0].counts.read == 4)
      #expect(report.tables[0].counts.superseded == 1)
      try database.run("UPDATE production.t SET a = 'neither' WHERE k = 2")
      // The first row has lost to the second, whatever production has.
      let counts = try await database.verify().tables[0].counts
      #expect(counts.differing == 1 && counts.superseded == 1)
    }
  }
}
