import MergeEngine
import TestSupport
import Testing

/// Values of every size, encoding and form come through a snapshot, or are refused.
@Suite struct SnapshotValueTests {
  @Test func `a single row of more bytes than a batch may hold is merged`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(
        production: "id integer PRIMARY KEY, body text, updated_at timestamp",
        staging: "id integer, body text, updated_at timestamp"
      )
      try database.run(
        """
        ALTER TABLE staging.t ALTER body SET STORAGE EXTERNAL;
        INSERT INTO staging.t
        SELECT n, CASE WHEN n = 2 THEN repeat('long', 12000000) ELSE repeat('x', 6000000) END, '2025-01-01'
        FROM generate_series(1, 8) AS n
        """
      )
      try await database.save(folder)
      let report = try await database.replay(folder)
      #expect(report.totals.inserted == 8)
      #expect(report.totals.batches > 2)
      #expect(
        try database.difference(
          "SELECT id, md5(body) FROM production.t",
          "SELECT id, md5(body) FROM staging.t"
        ) == []
      )
    }
  }

  @Test func `a batch that is too large once it is cast is divided`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      let numbers = 1...20
      try database.makePair(
        production: "id integer PRIMARY KEY, updated_at date, " + numbers.map { "c\($0) text" }.joined(separator: ", "),
        staging: "id integer, updated_at date, " + numbers.map { "c\($0) timestamptz" }.joined(separator: ", ")
      )
      // 258 bytes a row in the file, 688 when every time has become a text.
      try database.run(
        """
        ALTER TABLE staging.t SET (fillfactor = 100);
        INSERT INTO staging.t SELECT n, '2025-01-01', \(numbers.map { _ in "timestamptz '2025-01-01 12:34:56.789012+00'" }
          .joined(separator: ", ")) FROM generate_series(1, 30000) AS n
        """
      )
      try await database.save(folder)
      try database.letBatchesWait()
      let report = try await database.replay(folder) {
        ($0.batchRows, $0.workers, $0.maxLockMilliseconds) = (100_000, 1, 600_000)
      }
      #expect(report.totals.inserted == 30_000)
      #expect(report.totals.batches == 2)
      #expect(
        try database.count("SELECT count(*) FROM production.t WHERE c20 = '2025-01-01 12:34:56.789012+00'") == 30_000
      )
    }
  }

  @Test(arguments: TestDatabase.Encoding.allCases)
  func `texts come through in every encoding`(_ encoding: TestDatabase.Encoding) async throws {
    try await TestDatabase.with(encoding) { database in
      let folder = try SnapshotFolder()
      let columns = "\"schlüssel\" text PRIMARY KEY, updated_at date"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES ('größe', '2025-01-01'), ('é', '2025-01-01')")
      try await database.save(folder)
      #expect(try await database.replay(folder).totals.inserted == 2)
      #expect(try database.difference("TABLE production.t", "SELECT \"schlüssel\", updated_at FROM staging.t") == [])
    }
  }

  @Test func `bytes of no encoding are not taken for texts of one`() async throws {
    let folder = try SnapshotFolder()
    let columns = "id text PRIMARY KEY, updated_at date"
    try await TestDatabase.with(.sqlASCII) { database in
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (E'\\xFF', '2025-01-01')")
      try await database.save(folder)
    }
    try await TestDatabase.with { database in
      try database.makePair(production: columns, staging: columns)
      await #expect { try await database.replay(folder) } throws: { error in
        guard case MergeFailure.blocked(let findings) = error else { return false }
        return findings.contains { $0.message.contains("the snapshot's text is encoded in SQL_ASCII") }
      }
    }
  }

  @Test func `columns of types without a binary form are saved as text and merged`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.makePair(
        production: "id integer PRIMARY KEY, rights aclitem, updated_at timestamp",
        staging: "id integer, rights aclitem, updated_at timestamp"
      )
      try database.run("INSERT INTO staging.t SELECT 1, (current_user || '=r/' || current_user)::aclitem, '2025-01-01'")
      let manifest = try await database.save(folder)
      #expect(manifest.tables[0].columns.map(\.baseType).prefix(2) == ["integer", "text"])
      #expect(try await database.replay(folder).totals.inserted == 1)
      #expect(try database.difference("TABLE production.t", "SELECT id, rights, updated_at FROM staging.t") == [])
    }
  }

  @Test func `arrays of own types, which hold the database's numbers, are refused where the numbers differ`()
    async throws
  {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.run("CREATE SCHEMA production; CREATE TYPE production.mood AS ENUM ('ok', 'sad')")
      let columns = "id integer PRIMARY KEY, moods production.mood[], mood production.mood, updated_at timestamp"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1, '{ok,sad}', 'sad', '2025-01-01')")
      try await database.save(folder)
      #expect(try await database.replay(folder).totals.inserted == 1)
      try database.run(
        """
        DROP SCHEMA staging, production CASCADE; CREATE SCHEMA production;
        CREATE TYPE production.mood AS ENUM ('ok', 'sad'); CREATE TABLE production.t (\(columns))
        """
      )
      await #expect { try await database.replay(folder) } throws: { error in
        guard case MergeFailure.blocked(let findings) = error else { return false }
        return findings.count == 1 && findings[0].message.contains("column moods is of type mood[]")
      }
    }
  }
}
