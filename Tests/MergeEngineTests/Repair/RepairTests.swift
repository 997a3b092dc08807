import Foundation
import MergeEngine
import Synchronization
import TestSupport
import Testing

/// `repair` does what the file says, to rows that nobody has touched since, and nothing else.
@Suite struct RepairTests {
  private static let columns = "k int PRIMARY KEY, a text, updated_at timestamp"

  private func window(_ options: inout VerifyOptions) {
    options.merge.from = "2025-01-01"
    options.merge.to = "2025-02-01"
  }

  /// So many rows, merged.
  private func fill(_ database: TestDatabase, _ count: Int) async throws {
    try database.makePair(production: Self.columns, staging: Self.columns)
    try database.run("INSERT INTO staging.t SELECT n, 'a' || n, '2025-01-02' FROM generate_series(1, \(count)) n")
    try await database.merge()
  }

  /// Writes to rows behind 5000 as CDC does, until the body is done.
  private func underCDC(_ database: TestDatabase, _ body: () async throws -> Void) async throws {
    let isOver = Flag()
    let connectionString = database.connectionString
    let cdc = Task {
      try await onItsOwnThread {
        let session = try TestDatabase(connectionString: connectionString)
        var round = 0
        while !isOver.isSet {
          round += 1
          try session.run(
            """
            UPDATE production.t SET a = 'cdc', updated_at = '2025-03-01' WHERE k = 5000 + \(round % 4000);
            INSERT INTO production.t VALUES (\(1_000_000 + round), 'cdc', '2025-03-01');
            DELETE FROM production.t WHERE k = \(1_000_000 + round - 5);
            """
          )
        }
        return round
      }
    }
    let result: Result<Void, any Error>
    do {
      try await body()
      result = .success(())
    } catch {
      result = .failure(error)
    }
    isOver.set()
    #expect(try await cdc.value > 10)
    try result.get()
  }

  @Test func `200 faults under CDC: all in the file, untouched ones mended, and given back by rollback`() async throws {
    try await TestDatabase.with { database in
      try await fill(database, 10_000)
      try await underCDC(database) {
        try database.run(
          """
          DELETE FROM production.t WHERE k BETWEEN 1 AND 50;
          UPDATE production.t SET updated_at = '2025-01-01', a = 'old' WHERE k BETWEEN 101 AND 150;
          UPDATE production.t SET a = 'other' WHERE k BETWEEN 201 AND 250;
          INSERT INTO production.t SELECT n, 'extra', '2025-01-03' FROM generate_series(20001, 20050) n;
          """
        )
        let file = DifferencesFile()
        let arguments = ["--from", "2025-01-01", "--to", "2025-02-01", "--recheck-after", "0.5", "--output", file.path]
        let verify = try await database.call("verify", arguments: arguments)
        #expect(verify.status == 65, "\(verify.transcript)")
        let faults =
          (1...50).map { "missing \($0)" } + (101...150).map { "outdated \($0)" }
          + (201...250).map { "differing \($0)" }
          + (20001...20050).map { "extra \($0)" }
        #expect(try file.found() == faults.sorted())

        // Somebody is at five rows of each kind.
        try database.run(
          """
          INSERT INTO production.t SELECT n, 'touched', '2025-03-01' FROM generate_series(1, 5) n;
          UPDATE production.t SET a = 'touched', updated_at = '2025-03-01'
          WHERE k BETWEEN 101 AND 105 OR k BETWEEN 201 AND 205 OR k BETWEEN 20001 AND 20005;
          CREATE TABLE public.before AS SELECT k, a, updated_at FROM production.t WHERE k <= 1000 OR k BETWEEN 20001 AND 20050;
          """
        )
        let kinds = ["--kind", "missing,outdated", "--kind", "differing,extra"]
        let plan = try await database.call("repair", file.path, "--plan", "--json", arguments: kinds)
        #expect(plan.status == 65, "\(plan.transcript)")
        let repair = try await database.call("repair", file.path, "--json", arguments: kinds)
        #expect(repair.status == 65, "\(repair.transcript)")
        #expect(try plan.json()["totals"] == repair.json()["totals"])
        let totals = try repair.json()["totals"]
        #expect(
          totals["inserted"].integer == 45 && totals["updated"].integer == 90 && totals["deleted"].integer == 45
            && totals["left_alone"].integer == 20
        )
        let reasons = try repair.json()["tables"].table("t")["reasons"]
        #expect(reasons["inserted since"].integer == 5 && reasons["changed since"].integer == 15)
        #expect(
          try database.rows(
            """
            SELECT a LIKE 'a%', a, count(*) FROM production.t
            WHERE (k <= 250 OR k BETWEEN 20001 AND 20050) AND a <> 'a' || k GROUP BY a
            """
          ) == ["(f,touched,20)"]
        )
        let content = try await database.call("verify", arguments: Array(arguments.prefix(6)))
        #expect(content.status == 0, "\(content.transcript)")

        let runID = try #require(try repair.json()["run_id"].integer)
        let rollback = try await database.call("rollback", "\(runID)", "--json")
        #expect(rollback.status == 0, "\(rollback.transcript)")
        #expect(
          try database.difference(
            "SELECT k, a, updated_at FROM production.t WHERE k <= 1000 OR k BETWEEN 20001 AND 20050",
            "TABLE public.before"
          ) == []
        )
        let again = DifferencesFile()
        let found = try await database.call("verify", arguments: arguments.dropLast() + [again.path])
        #expect(found.status == 65, "\(found.transcript)")
        let touched =
          (1...5).map { "missing \($0)" } + (101...105).map { "outdated \($0)" }
          + (201...205).map { "differing \($0)" } + (20001...20005).map { "extra \($0)" }
        #expect(try again.found() == Set(faults).subtracting(touched).sorted())
        // Staging stays merged: the next merge does not mend them behind anybody's back.
        #expect(try await database.merge().totals.read == 0)
      }
    }
  }

  @Test func `kinds are mended as asked for, and extra rows stay unless they are named`() async throws {
    try await TestDatabase.with { database in
      try await fill(database, 300)
      try database.run(
        """
        DELETE FROM production.t WHERE k = 1;
        UPDATE production.t SET a = 'other' WHERE k = 2;
        INSERT INTO production.t VALUES (999, 'extra', '2025-01-03');
        """
      )
      let file = DifferencesFile()
      try await database.verify(into: file, window)
      let first = try await database.repair(file) { $0.kinds = [.differing] }
      #expect(first.updated == 1 && first.inserted == 0 && first.notAskedFor == 2 && first.status == .success)
      let second = try await database.repair(file)
      #expect(second.inserted == 1 && second.leftAlone == 1 && second.notAskedFor == 1 && second.status == .partial)
      #expect(second.tables[0].left.map(\.reason) == ["changed since"])
      #expect(try database.count("SELECT count(*) FROM production.t WHERE k = 999") == 1)
      let runCount = try database.count("SELECT count(*) FROM admin.merge_summary")
      let third = try await database.repair(file) { $0.kinds = [.outdated] }
      #expect(third.runID == nil && third.notAskedFor == 3 && third.status == .success)
      #expect(try database.count("SELECT count(*) FROM admin.merge_summary") == runCount)
    }
  }

  @Test func `lines can be taken out by hand`() async throws {
    try await TestDatabase.with { database in
      try await fill(database, 100)
      try database.run("UPDATE production.t SET a = 'other' WHERE k <= 10")
      let file = DifferencesFile()
      try await database.verify(into: file)
      file.lines.removeAll { $0.contains(#""k":"3""#) || $0.contains(#""k":"7""#) }
      let report = try await database.repair(file)
      #expect(report.updated == 8 && report.leftAlone == 0)
      #expect(try database.rows("SELECT k FROM production.t WHERE a = 'other' ORDER BY 1") == ["(3)", "(7)"])
    }
  }

  @Test func `a staging row that has changed or gone is no value to mend with`() async throws {
    try await TestDatabase.with { database in
      try await fill(database, 10)
      try database.run("UPDATE production.t SET a = 'other'")
      let file = DifferencesFile()
      try await database.verify(into: file)
      try database.run(
        """
        DELETE FROM staging.t WHERE k = 1;
        UPDATE staging.t SET updated_at = '2025-01-04' WHERE k = 2;
        -- Of the same version: nobody has compared it.
        UPDATE staging.t SET a = 'unseen' WHERE k = 9;
        """
      )
      let plan = try await database.repair(file) { $0.isDryRun = true }
      let report = try await database.repair(file)
      #expect(report.updated == 7 && report.leftAlone == 3)
      #expect(report.tables[0].reasons == ["gone from staging, or changed there": 3])
      #expect(plan.tables[0].reasons == report.tables[0].reasons && plan.updated == report.updated)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE a = 'unseen'") == 0)
      // Moved, and the same.
      try database.run("UPDATE production.t SET a = 'other' WHERE k > 2")
      try await database.verify(into: file)
      try database.run("VACUUM FULL staging.t")
      #expect(try await database.repair(file).updated == 7)
    }
  }

  @Test func `what the server refuses is left alone, and the rest of its batch mended`() async throws {
    try await TestDatabase.with { database in
      try await fill(database, 100)
      try database.run(
        """
        UPDATE production.t SET a = 'other' WHERE k <= 20;
        ALTER TABLE production.t ADD CHECK (a <> 'a7') NOT VALID;
        """
      )
      let file = DifferencesFile()
      try await database.verify(into: file)
      let report = try await database.repair(file)
      #expect(report.updated == 19 && report.leftAlone == 1 && report.status == .partial)
      #expect(report.tables[0].left[0].key == ["k": "7"])
      #expect(
        report.tables[0].left[0].reason.contains("t_a_check") && report.tables[0].left[0].reason.contains("23514")
      )
      let runID = try #require(report.runID)
      #expect(
        try database.rows(
          "SELECT records_read, records_updated, records_error, records_stale FROM admin.merge_logs WHERE run_id = \(runID)"
        ) == ["(20,19,1,0)"]
      )
    }
  }

  @Test func `rows that refer to each other are mended whatever their order`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k int PRIMARY KEY, parent int REFERENCES production.t, updated_at int",
        staging: "k int, parent int, updated_at int"
      )
      try database.run("INSERT INTO staging.t SELECT n, nullif(n + 1, 21), 1 FROM generate_series(1, 20) n")
      try await database.merge()
      try database.run("DELETE FROM production.t WHERE k <= 20")
      let file = DifferencesFile()
      try await database.verify(into: file)
      let report = try await database.repair(file) { $0.merge.batchRows = 5 }
      #expect(report.inserted == 20 && report.leftAlone == 0, "\(report)")
    }
  }

  @Test func `keys of all kinds find their rows again`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        production: "k text, t timestamptz, n numeric, a text, updated_at timestamptz, PRIMARY KEY (k, t, n)",
        staging: "k varchar(20), t timestamptz, n numeric, a text, updated_at timestamptz"
      )
      try database.run(
        """
        INSERT INTO staging.t VALUES
          ('it''s "x", \\ {y}', '2025-01-01 10:00+02', 1.50, 'a', '2025-01-02'),
          ('Ünïcode', 'infinity', 'NaN', 'a', '2025-01-02'), ('', '2025-01-01', -0.001, 'a', '2025-01-02 11:11:11.123456');
        """
      )
      try await database.merge()
      let file = DifferencesFile()
      for fault in ["DELETE FROM production.t", "UPDATE production.t SET a = NULL, updated_at = '2024-01-01'"] {
        try database.run(fault)
        #expect(try await database.verify(into: file).tables[0].counts.differenceCount == 3)
        let report = try await database.repair(file)
        #expect(report.inserted + report.updated == 3 && report.leftAlone == 0, "\(report)")
        #expect(try await database.verify().status == .success)
      }
    }
  }

  @Test func `whoever repairs may live in another time zone than whoever has verified`() async throws {
    try await TestDatabase.with { database in
      let columns = "k timestamptz PRIMARY KEY, a text, updated_at timestamptz"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t VALUES ('2025-01-01 10:00+00', 'a', '2025-01-02 03:04:05.678+00')")
      try await database.merge()
      try database.run("UPDATE production.t SET a = 'other'")
      let file = DifferencesFile()
      try await database.verify(into: file) { $0.merge.timeZone = "Asia/Tokyo" }
      let report = try await database.repair(file) { $0.merge.timeZone = "America/New_York" }
      #expect(report.updated == 1 && report.leftAlone == 0)
    }
  }

  @Test func `staging in another database is where values come from, too`() async throws {
    try await TestDatabase.withPair { production, staging in
      try production.run("CREATE SCHEMA production; CREATE TABLE production.t (\(Self.columns))")
      try staging.run("CREATE SCHEMA staging; CREATE TABLE staging.t (\(Self.columns))")
      try staging.run("INSERT INTO staging.t SELECT n, 'a' || n, '2025-01-02' FROM generate_series(1, 100) n")
      let there = ["--staging-database", staging.connectionString]
      #expect(try await production.call("merge", arguments: there).status == 0)
      try production.run("UPDATE production.t SET a = 'other' WHERE k <= 10; DELETE FROM production.t WHERE k > 95")
      let file = DifferencesFile()
      let verify = ["--output", file.path, "--recheck-after", "0"] + there
      #expect(try await production.call("verify", arguments: verify).status == 65)
      let repair = try await production.call("repair", file.path, "--json", arguments: there)
      #expect(repair.status == 0, "\(repair.transcript)")
      #expect(try repair.json()["totals"]["inserted"].integer == 5)
      #expect(try repair.json()["totals"]["updated"].integer == 10)
      #expect(try await production.call("verify", arguments: there + ["--recheck-after", "0"]).status == 0)
    }
  }

  @Test func `a dry run writes nothing, and a role that only reads may ask for it`() async throws {
    try await TestDatabase.with { database in
      try await fill(database, 10)
      try database.run("DELETE FROM production.t WHERE k = 1")
      let file = DifferencesFile()
      try await database.verify(into: file)
      let before = try database.contents()
      let plan = try await database.call("repair", file.path, "--plan")
      #expect(plan.status == 0 && plan.output.contains("nothing was written. 1 row would be inserted"))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a row that somebody holds is not waited for together with others`() async throws {
    try await TestDatabase.with { database in
      try await fill(database, 100)
      try database.run("UPDATE production.t SET a = 'other'")
      let file = DifferencesFile()
      try await database.verify(into: file)
      let holder = try database.connect()
      try holder.run("BEGIN; UPDATE production.t SET a = 'held' WHERE k = 50")
      let repair = try database.repairing(file)
      try await database.wait(for: "(SELECT count(*) FROM production.t WHERE a = 'other') = 1")
      try holder.run("COMMIT")
      let report = try await repair.value
      #expect(report.updated == 99 && report.tables[0].reasons == ["changed since": 1])
    }
  }
}

/// A flag that threads share.
private final class Flag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}
