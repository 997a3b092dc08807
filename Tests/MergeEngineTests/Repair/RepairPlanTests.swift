import Foundation
import MergeEngine
import TestSupport
import Testing

/// `repair --plan` counts what the repair that follows does: what production refuses, and what rows do for each other.
@Suite struct RepairPlanTests {
  private func window(_ options: inout VerifyOptions) {
    options.merge.from = "0"
    options.merge.to = "5"
  }

  /// Plans, repairs, and expects both to count the same and to leave the same rows alone.
  @discardableResult
  private func repairAsPlanned(_ database: TestDatabase, _ file: DifferencesFile) async throws -> RepairReport {
    func asked(_ options: inout RepairOptions) {
      options.kinds = RepairOptions.possibleKinds
      options.maxExtraPercent = 100
      options.sampleLimit = 1000
      // Many transactions, so that the order of lines would matter.
      options.merge.batchRows = 7
    }
    let before = try database.contents()
    let plan = try await database.repair(file) {
      asked(&$0)
      $0.isDryRun = true
    }
    #expect(try database.contents() == before)
    let repair = try await database.repair(file, asked)
    #expect(plan.tables.map(\.reasons) == repair.tables.map(\.reasons))
    #expect(Self.counts(plan) == Self.counts(repair))
    #expect(Self.left(plan) == Self.left(repair))
    return repair
  }

  private static func counts(_ report: RepairReport) -> [[Int]] {
    report.tables.map { [$0.inserted, $0.updated, $0.deleted, $0.leftAlone, $0.notAskedFor] }
  }

  private static func left(_ report: RepairReport) -> [[String]] {
    report.tables.map { table in table.left.map { "\($0.kind.rawValue) \($0.key["k"] ?? "?")" }.sorted() }
  }

  @Test func `what production would refuse is counted: NOT NULL, lengths, checks, domains, foreign and unique keys`()
    async throws
  {
    try await TestDatabase.with { database in
      try database.makePair(
        "p",
        production: "k int PRIMARY KEY, updated_at int",
        staging: "k int PRIMARY KEY, updated_at int"
      )
      let columns = "k int PRIMARY KEY, p int, n int, u text, v text, w int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run(
        """
        INSERT INTO staging.p SELECT n, 1 FROM generate_series(1, 60) n;
        INSERT INTO staging.t
        SELECT n, 1 + n % 60, n, 'u' || n, CASE WHEN n IN (13, 33) THEN 'too long' ELSE 'v' || n END, nullif(n, 12), 1
        FROM generate_series(1, 60) n;
        """
      )
      try await database.merge()
      try database.run(
        """
        DELETE FROM production.t WHERE k <= 20;
        UPDATE production.t SET n = 0, u = NULL, v = NULL, p = NULL WHERE k BETWEEN 21 AND 40;
        -- Newer, and no difference; holds what row 30 wants.
        UPDATE production.t SET u = 'u30', updated_at = 9 WHERE k = 50;
        -- Holds what row 35 wants until it is mended itself.
        UPDATE production.t SET u = 'u35' WHERE k = 36;
        DELETE FROM production.p WHERE k IN (3, 4, 5);
        CREATE DOMAIN public.small AS int CHECK (value <> 14);
        ALTER TABLE production.t ALTER v TYPE varchar(5), ALTER w TYPE public.small, ALTER w SET NOT NULL;
        ALTER TABLE production.t ADD UNIQUE (u), ADD CHECK (n NOT IN (7, 27));
        ALTER TABLE production.t ADD FOREIGN KEY (p) REFERENCES production.p;
        """
      )
      let file = DifferencesFile()
      try await database.verify(into: file, window)
      // Parent 3 is not to come back.
      file.lines.removeAll { $0.contains(#""table":"p""#) && $0.contains(#""k":"3""#) }
      let report = try await repairAsPlanned(database, file)
      let table = try #require(report.tables.first { $0.table == "t" })
      let refused = table.left.filter { $0.reason.hasPrefix("refused") }.compactMap { $0.key["k"] }.sorted()
      #expect(refused == ["12", "13", "14", "2", "27", "30", "33", "7"])
      #expect(report.tables.first { $0.table == "p" }?.inserted == 2)
    }
  }

  @Test func `rows of one table that need each other are followed, and so is one whose parent is refused`() async throws
  {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, parent int, n int, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, nullif(n + 1, 41), n, 1 FROM generate_series(1, 40) n")
      try await database.merge()
      try database.run("DELETE FROM production.t WHERE k <= 40")
      let file = DifferencesFile()
      try await database.verify(into: file, window)
      try database.run(
        """
        ALTER TABLE production.t ADD CHECK (n <> 20);
        ALTER TABLE production.t ADD FOREIGN KEY (parent) REFERENCES production.t;
        """
      )
      let report = try await repairAsPlanned(database, file)
      // 20 is refused, and with it all that lead to it.
      #expect(report.inserted == 20 && report.leftAlone == 20)
    }
  }

  @Test func `deletions that make way for each other, and for rows that are written, are followed`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(
        "p",
        production: "k int PRIMARY KEY, updated_at int",
        staging: "k int PRIMARY KEY, updated_at int"
      )
      try database.makePair(
        production: "k int PRIMARY KEY, p int REFERENCES production.p ON DELETE CASCADE, u text UNIQUE, updated_at int",
        staging: "k int PRIMARY KEY, p int, u text, updated_at int"
      )
      try database.run(
        """
        INSERT INTO staging.p SELECT n, 1 FROM generate_series(1, 10) n;
        INSERT INTO staging.t SELECT n, n, 'u' || n, 1 FROM generate_series(1, 10) n;
        """
      )
      try await database.merge()
      try database.run(
        """
        INSERT INTO production.p SELECT n, 1 FROM generate_series(901, 905) n;
        DELETE FROM production.t WHERE k = 5;
        -- An extra row with what row 5 wants; its parent is extra too.
        INSERT INTO production.t VALUES (900, 901, 'u5', 1);
        -- Mended away from its extra parent.
        UPDATE production.t SET p = 902 WHERE k = 6;
        -- Newer than staging, so it stays where it is, and so does its parent.
        UPDATE production.t SET p = 903, updated_at = 9 WHERE k = 7;
        -- Extra, but changed since; so its parent stays.
        INSERT INTO production.t VALUES (904, 904, 'u904', 1);
        """
      )
      let file = DifferencesFile()
      try await database.verify(into: file, window)
      try database.run("UPDATE production.t SET u = 'changed' WHERE k = 904")
      let report = try await repairAsPlanned(database, file)
      #expect(report.inserted == 1 && report.updated == 1)
      #expect(try database.rows("SELECT k FROM production.p WHERE k > 900 ORDER BY 1") == ["(903)", "(904)"])
      #expect(try database.rows("SELECT k FROM production.t WHERE k > 800 ORDER BY 1") == ["(904)"])
    }
  }

  @Test func `what refers to many rows, and whether staging has them, is asked for all of them at once`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "k int PRIMARY KEY, updated_at int", staging: "k int, updated_at int")
      try database.run(
        """
        INSERT INTO production.t SELECT n, 1 FROM generate_series(1, 20000) n;
        INSERT INTO staging.t SELECT n, 1 FROM generate_series(1001, 20000) n;
        CREATE TABLE public.child (t int REFERENCES production.t);
        INSERT INTO public.child SELECT n FROM generate_series(501, 20000) n;
        ANALYZE;
        -- Less than a list of the keys takes.
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '64kB'); END $$;
        """
      )
      let file = DifferencesFile()
      try await database.verify(into: file) {
        window(&$0)
        $0.mark = MergeOptions.Mark.none
      }
      func scans() throws -> Int {
        try database.count(
          "SELECT sum(seq_scan) FROM pg_stat_all_tables WHERE schemaname IN ('staging', 'public') AND relname IN ('t', 'child')"
        )
      }
      try await database.waitForTheEndOfAllSessions()
      let before = try scans()
      let plan = try await database.repair(file) {
        $0.kinds = [.extra]
        $0.maxExtraPercent = 100
        $0.isDryRun = true
      }
      #expect(plan.deleted == 500 && plan.tables[0].reasons == ["referred to by public.child": 500])
      try await database.waitForTheEndOfAllSessions()
      #expect(try scans() - before < 50)
    }
  }

  @Test func `a plan tells what the role lacks, as the repair does, unless it may only look`() async throws {
    try await TestDatabase.with { database in
      try database.makePair(production: "k int PRIMARY KEY, updated_at int", staging: "k int, updated_at int")
      try database.run("INSERT INTO staging.t VALUES (1, 1)")
      try await database.merge()
      try database.run("DELETE FROM production.t")
      let file = DifferencesFile()
      try await database.verify(into: file, window)
      let role = "planner_\(try #require(try database.value("SELECT current_database()")))"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN;
        GRANT USAGE ON SCHEMA production, staging, admin TO \(role);
        GRANT SELECT ON ALL TABLES IN SCHEMA production, staging, admin TO \(role);
        """
      )
      let forOthers = try await database.repairing(file, as: role) { $0.isDryRun = true }.value
      #expect(forOthers.tables[0].inserted == 1)
      try database.run("GRANT INSERT ON production.t TO \(role)")
      await #expect {
        _ = try await database.repairing(file, as: role) { $0.isDryRun = true }.value
      } throws: {
        isBlocked($0, "the role \(role) lacks UPDATE")
      }
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }
}
