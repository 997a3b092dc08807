import MergeEngine
import TestSupport
import Testing

/// `why` tells one row's history.
@Suite struct WhyTests {
  private func withRows(_ body: (TestDatabase) async throws -> Void) async throws {
    try await TestDatabase.with { database in
      let columns = "k int, l text, a text, updated_at timestamp, PRIMARY KEY (k, l)"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        ALTER TABLE production.t ADD CHECK (a <> 'bad');
        INSERT INTO staging.t VALUES (1, 'x', 'new', '2025-01-02'), (2, 'x', 'bad', '2025-01-02'), (3, 'x', 'same', '2025-01-02'),
          (4, 'x', 'other', '2025-01-02');
        INSERT INTO production.t VALUES (1, 'x', 'old', '2025-01-01'), (3, 'x', 'same', '2025-01-02'), (4, 'x', 'tie', '2025-01-02');
        """
      )
      try await database.merge { $0.beforeImages = true }
      try await body(database)
    }
  }

  @Test func `a key of a type that is not the server's own`() async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE TYPE public.kind AS ENUM ('a', 'b')")
      try database.makePair(
        production: "k public.kind PRIMARY KEY, v int CHECK (v > 0), updated_at int",
        staging: "k text, v int, updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES ('a', 1, 1), ('b', 0, 1)")
      try await database.merge { $0.beforeImages = true }
      let merged = try await why(database, "a")
      #expect(merged["production"]["values"]["v"].text == "1")
      #expect(merged["images"].elements.count == 1)
      #expect(try await why(database, "b")["refusals"].elements.map { $0["sqlstate"].text } == ["23514"])
    }
  }

  @Test func `a typed key that its type would round is no key, and not that of another row`() async throws {
    try await TestDatabase.with { database in
      let columns = "k numeric(5, 2), at timestamp(0), updated_at int"
      try database.makePair(production: "\(columns), PRIMARY KEY (k, at)", staging: columns)
      try database.run("INSERT INTO staging.t VALUES (1.01, '2025-01-01 10:00:00', 1)")
      for key in [["1.005", "2025-01-01 10:00:00"], ["1.01", "2025-01-01 10:00:00.2"]] {
        let outcome = try await database.call("why", "t", arguments: key)
        #expect(outcome.status == 64 && outcome.errors.contains("would make it another one"), "\(outcome.transcript)")
      }
      #expect(try await why(database, "1.010", "2025-01-01 10:00")["staging"].elements.count == 1)
    }
  }

  @Test func `a refused row is found however production's collation lets its key be spelled`() async throws {
    try await TestDatabase.with { database in
      guard try database.makeCaseless() else { return }
      try database.makePair(
        production: "k text COLLATE public.caseless PRIMARY KEY, v int CHECK (v > 0), updated_at int",
        staging: "k text, v int, updated_at int"
      )
      try database.run("INSERT INTO staging.t VALUES ('ABC', 0, 1)")
      #expect(try await database.call("merge").status == 65)
      for key in ["ABC", "abc"] {
        let row = try await why(database, key)
        #expect(row["staging"].elements.count == 1)
        #expect(row["refusals"].elements.map { $0["sqlstate"].text } == ["23514"], "\(key)")
      }
    }
  }

  @Test(arguments: [
    ("numeric", "1.00", "1"), ("public.citext", "C", "c"),
    ("timestamptz", "2025-01-01 00:00:00+00", "2025-01-01 01:00:00+01"),
  ])
  func `a refused row is found however production's type lets its key be spelled`(
    type: String,
    staged: String,
    asked: String
  ) async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE EXTENSION citext SCHEMA public")
      let columns = "k \(type) PRIMARY KEY, l int, updated_at int"
      try database.makePair(production: "\(columns), CHECK (l > 0)", staging: columns)
      try database.run("INSERT INTO staging.t VALUES ('\(staged)', 0, 1)")
      #expect(try await database.call("merge").status == 65)
      for key in [staged, asked] {
        let row = try await why(database, key)
        #expect(row["staging"].elements.count == 1)
        #expect(row["refusals"].elements.map { $0["sqlstate"].text } == ["23514"], "\(key)")
      }
    }
  }

  @Test(arguments: ["ext", "ext, public"])
  func `a key whose type lies elsewhere in staging's database`(path: String) async throws {
    try await TestDatabase.withPair { production, staging in
      try production.run(
        "CREATE EXTENSION hstore SCHEMA public; CREATE SCHEMA production; CREATE TABLE production.t (k public.hstore PRIMARY KEY, updated_at int)"
      )
      try staging.run(
        """
        CREATE SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext; CREATE SCHEMA staging;
        CREATE TABLE staging.t (k ext.hstore, updated_at int); INSERT INTO staging.t VALUES ('a=>1', 1);
        ALTER DATABASE \(staging.name) SET search_path = \(path)
        """
      )
      let outcome = try await production.call(
        "why",
        "t",
        "k=a=>1",
        "--json",
        arguments: ["--staging-database", staging.connectionString]
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["staging"].elements.count == 1, "\(outcome.transcript)")
    }
  }

  private func why(_ database: TestDatabase, _ key: String...) async throws -> JSONValue {
    let outcome = try await database.call("why", "t", "--json", arguments: key)
    #expect(outcome.status == 0, "\(outcome.transcript)")
    return try outcome.json()
  }

  @Test func `an updated row: both sides, its batch, and what it was before`() async throws {
    try await withRows { database in
      let row = try await why(database, "1", "x")
      #expect(row["staging"].elements.count == 1)
      #expect(row["staging"].elements[0]["standing"].text == "merged")
      #expect(row["staging"].elements[0]["verdict"].text == "unchanged")
      #expect(row["staging"].elements[0]["values"]["a"].text == "new")
      #expect(row["production"]["values"]["a"].text == "new")
      #expect(row["reads"].elements.map { $0["run_id"].integer } == [1])
      #expect(row["reads"].elements[0]["rows"].integer != nil)
      let image = row["images"].elements[0]
      #expect(
        image["effect"].text == "updated" && image["before"]["a"].text == "old" && image["is_untouched"] == .bool(true)
      )
      try database.run("UPDATE production.t SET a = 'cdc', updated_at = '2025-02-01' WHERE k = 1")
      let later = try await why(database, "l=x", "k=1")
      #expect(later["images"].elements[0]["is_untouched"] == .bool(false))
      #expect(later["staging"].elements[0]["verdict"].text == "stale")
      let text = try await database.call("why", "t", "1", "x")
      #expect(text.output.contains("older than production's") && text.output.contains("differs"))
    }
  }

  @Test func `a refused row has its reasons, and is retried or dismissed`() async throws {
    try await withRows { database in
      let row = try await why(database, "2", "x")
      #expect(row["production"] == .null)
      #expect(row["staging"].elements[0]["standing"].text == "refused")
      #expect(row["staging"].elements[0]["verdict"].text == "insert")
      let refusal = row["refusals"].elements[0]
      #expect(
        refusal["sqlstate"].text == "23514" && refusal["standing"].text == "standing" && refusal["run_id"].integer == 1
      )
      #expect(try await database.call("errors", "retry").status == 0)
      let retried = try await why(database, "2", "x")
      #expect(retried["refusals"].elements[0]["standing"].text == "retried")
      #expect(retried["staging"].elements[0]["standing"].text == "pending")
    }
  }

  @Test func `only runs that have read the row are named, whatever they have read beside it`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int, l text, a text, updated_at timestamp, PRIMARY KEY (k, l)"
      // Without a status: a row that is marked is another one.
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging; CREATE TABLE staging.t (\(columns));
        CREATE TABLE production.t (\(columns), CHECK (a <> 'bad'));
        INSERT INTO staging.t VALUES (1, 'x', 'new', '2025-01-02'), (2, 'x', 'bad', '2025-01-02'), (3, 'x', 'same', '2025-01-02');
        INSERT INTO production.t VALUES (1, 'x', 'old', '2025-01-01'), (3, 'x', 'same', '2025-01-02')
        """
      )
      try await database.merge { $0.beforeImages = true }
      func runs(_ key: Int) async throws -> [Int?] {
        try await why(database, "\(key)", "x")["reads"].elements.map { $0["run_id"].integer }
      }
      #expect(try await runs(2) == [1])
      try database.run("ALTER TABLE production.t DROP CONSTRAINT t_a_check")
      #expect(try await database.call("errors", "retry").status == 0)
      try await database.merge()
      #expect(try await runs(2) == [1, 2])
      #expect(try await runs(1) == [1])
      #expect(try await runs(3) == [1])
      try database.run("INSERT INTO staging.t VALUES (5, 'x', 'later', '2025-01-02')")
      try await database.merge()
      #expect(try await runs(5) == [3])
      #expect(try await runs(1) == [1])
      try await database.rollBack(1)
      #expect(try await runs(1) == [1])
      try await database.merge()
      #expect(try await runs(1) == [1, 4])
      #expect(try await runs(3) == [1])
      try await database.merge { $0.again = true }
      #expect(try await runs(3) == [1, 5])
      #expect(try await runs(1) == [1, 4, 5])
      #expect(try await database.call("cleanup", "--keep-task", "--older-than", "0").status == 0)
    }
  }

  @Test func `when entries are gone nothing is said that nobody knows`() async throws {
    try await withRows { database in
      try await database.merge()
      try database.run(
        "DELETE FROM admin.merge_progress WHERE superseded_at IS NOT NULL; DELETE FROM admin.merge_progress WHERE place_start IS NOT NULL"
      )
      let reads = try await why(database, "1", "x")["reads"].elements
      #expect(reads.count == 1 && reads[0]["or_earlier"] == .bool(true) && reads[0]["worker"] == .null)
      #expect(try await database.call("why", "t", "1", "x").output.contains(" or an earlier one\n"))
    }
  }

  @Test func `ties, rows that only one side has, and repairs`() async throws {
    try await withRows { database in
      let tie = try await why(database, "4", "x")
      #expect(tie["staging"].elements[0]["verdict"].text == "tie")
      #expect(tie["staging"].elements[0]["differing"].elements.map(\.text) == ["a"])
      try database.run(
        "DELETE FROM production.t WHERE k = 3; INSERT INTO production.t VALUES (9, 'y', 'only', '2025-01-01')"
      )
      #expect(try await why(database, "9", "y")["staging"].elements.isEmpty)
      let file = DifferencesFile()
      try await database.verify(into: file)
      let repair = try await database.repair(file)
      let repaired = try await why(database, "3", "x")
      #expect(repaired["images"].elements.map { $0["is_repair"] } == [.bool(true)])
      #expect(repaired["images"].elements[0]["run_id"].integer == repair.runID)
      #expect(repaired["images"].elements[0]["effect"].text == "inserted")
    }
  }

  @Test func `a key that there is not, or that is none, is told, and nothing is written`() async throws {
    try await withRows { database in
      let before = try database.contents()
      let none = try await database.call("why", "t", "77", "x")
      #expect(none.status == 64 && none.errors.contains("has a row with the key k 77, l x"))
      let few = try await database.call("why", "t", "77")
      #expect(few.status == 64 && few.errors.contains("the key of production.t is (k, l)"))
      let wrong = try await database.call("why", "t", "seven", "x")
      #expect(wrong.status == 64 && wrong.errors.contains("invalid input syntax"))
      let other = try await database.call("why", "t", "updated_at=2025-01-01", "x")
      #expect(other.status == 64 && other.errors.contains("updated_at is not a column of the key"), "\(other.errors)")
      #expect(try await database.call("why", "nothing", "1").status == 73)
      #expect(try database.contents() == before)
    }
  }

  @Test func `a refusal whose row has changed or gone stands no more`() async throws {
    try await withRows { database in
      #expect(try await why(database, "2", "x")["refusals"].elements.map { $0["standing"].text } == ["standing"])
      try database.run("UPDATE staging.t SET a = 'good' WHERE k = 2")
      #expect(try await why(database, "2", "x")["refusals"].elements.map { $0["standing"].text } == ["gone"])
      let text = try await database.call("why", "t", "2", "x")
      #expect(text.output.contains("it has changed or left staging since"), "\(text.transcript)")
    }
  }

  @Test func `values that are no text anywhere are compared as they are`() async throws {
    try await TestDatabase.with(.sqlASCII) { database in
      let columns = "id int PRIMARY KEY, v text, updated_at int"
      try database.makePair(production: columns, staging: "id int, v text, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, E'\\xff\\xfe', 1)")
      try await database.merge()
      let row = try await why(database, "1")["staging"].elements[0]
      #expect(row["verdict"].text == "unchanged" && row["differing"].elements.isEmpty)
    }
  }

  @Test func `a row that production's encoding can't hold has its reasons, too`() async throws {
    try await TestDatabase.with { staging in
      try await TestDatabase.with(.latin1) { production in
        try production.run(
          "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, v text, updated_at int)"
        )
        try production.run("INSERT INTO production.t VALUES (1, 'a', 1)")
        try staging.run(
          "CREATE SCHEMA staging; CREATE TABLE staging.t (id int, v text, updated_at int); INSERT INTO staging.t VALUES (1, '😀', 1)"
        )
        _ = try await production.call(
          "merge",
          "--again",
          "--ties",
          "compare",
          "--staging-database",
          staging.connectionString
        )
        let outcome = try await production.call(
          "why",
          "t",
          "1",
          "--json",
          "--staging-database",
          staging.connectionString
        )
        #expect(outcome.status == 0, "\(outcome.transcript)")
        #expect(try outcome.json()["staging"].elements[0]["verdict"].text == "tie")
      }
    }
  }
}
