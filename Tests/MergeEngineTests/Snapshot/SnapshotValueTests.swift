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

  /// A type as the snapshot's database has it and as production's has it, and a value.
  struct Redefined: Sendable, CustomTestStringConvertible {
    let (saved, here, value): (String, String, String)
    var testDescription: String { "\(saved), here \(here)" }
  }

  @Test(arguments: [
    Redefined(
      saved: "TYPE public.own AS RANGE (subtype = numeric)",
      here: "TYPE public.own AS RANGE (subtype = int4)",
      value: "[1,5)"
    ),
    Redefined(saved: "TYPE public.own AS ENUM ('abcd')", here: "DOMAIN public.own AS int4", value: "abcd"),
    Redefined(saved: "DOMAIN public.own AS int4", here: "DOMAIN public.own AS int8", value: "7"),
    Redefined(
      saved: "TYPE public.inner AS RANGE (subtype = text); CREATE DOMAIN public.own AS public.inner",
      here:
        "DOMAIN public.base AS int4; CREATE TYPE public.inner AS RANGE (subtype = public.base); CREATE DOMAIN public.own AS public.inner",
      value: "[a,b)"
    ),
  ])
  func `a type that means something else in production's database is no reason to read its values as such`(
    _ redefined: Redefined
  ) async throws {
    try await TestDatabase.withPair { here, other in
      let folder = try SnapshotFolder()
      let columns = "k int PRIMARY KEY, v public.own, updated_at int"
      try other.run("CREATE \(redefined.saved)")
      try other.makePair(production: columns, staging: columns)
      try other.run("INSERT INTO staging.t VALUES (1, '\(redefined.value)', 1)")
      try await other.save(folder)
      try here.run("CREATE \(redefined.here); CREATE SCHEMA production; CREATE TABLE production.t (\(columns))")
      let refused = try await here.call("replay", folder.path)
      // Of domains the values are of the types underneath, which are cast.
      let isCast = redefined.saved.contains("DOMAIN public.own AS int4")
      #expect(refused.status == (isCast ? 0 : 73), "\(refused.transcript)")
      #expect(isCast || refused.errors.contains("means something else in this database"), "\(refused.transcript)")
      // Where it was saved it is what it was.
      let replay = try await other.call("replay", folder.path)
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(
        try other.rows("SELECT v::text FROM production.t") == [
          "(\(redefined.value.contains(",") ? "\"\(redefined.value)\"" : redefined.value))"
        ]
      )
    }
  }

  @Test func `fields of a composite type that change places are told`() async throws {
    try await TestDatabase.with { database in
      let folder = try SnapshotFolder()
      try database.run("CREATE TYPE public.pair AS (a int, b int)")
      try database.makePair(
        production: "k int PRIMARY KEY, v public.pair, updated_at int",
        staging: "k int, v public.pair, updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES (1, '(7,8)', 1)")
      try await database.save(folder)
      try database.run(
        """
        ALTER TYPE public.pair RENAME ATTRIBUTE a TO x; ALTER TYPE public.pair RENAME ATTRIBUTE b TO a;
        ALTER TYPE public.pair RENAME ATTRIBUTE x TO b;
        """
      )
      let refused = try await database.call("replay", folder.path)
      #expect(refused.status == 73, "\(refused.transcript)")
      #expect(
        refused.errors.replacing(/\s+/, with: " ").contains("(pair: (a int4, b int4); here pair: (b int4, a int4))"),
        "\(refused.transcript)"
      )
      #expect(try database.rows("TABLE production.t") == [])
    }
  }
}
