import Foundation
import MergeEngine
import TestSupport
import Testing

/// `replay` as it is typed: what it says, what it is kept from, what it leaves in the admin tables.
@Suite struct ReplayCommandTests {
  @Test func `the replay of a window leaves refusals outside of it as they are`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.n (id int PRIMARY KEY, parent int REFERENCES production.n, updated_at timestamp);
        CREATE TABLE staging.n (id int, parent int, updated_at timestamp);
        INSERT INTO staging.n VALUES (1, 999, '2025-01-01'), (2, NULL, '2025-02-01');
        """
      )
      try await database.save(folder)
      #expect(try await database.call("replay", folder.path).status == 65)
      let window = try await database.call("replay", folder.path, "--from", "2025-02-01")
      #expect(window.status == 0, "\(window.transcript)")
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.count == 1)
    }
  }

  /// The first row refers to the last one; a later row can't be stored.
  @Test(arguments: [false, true])
  func `a replay that goes on with one that broke off has its refused rows too`(isBad: Bool) async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.n (id int PRIMARY KEY, parent int REFERENCES production.n, v int CHECK (v <> 7), updated_at timestamp);
        CREATE TABLE staging.n (id int, parent int, v int, updated_at timestamp);
        INSERT INTO staging.n SELECT n, CASE n WHEN 1 THEN 40 END, CASE WHEN n = 2 AND \(isBad) THEN 7 ELSE 0 END, '2025-01-01'
        FROM generate_series(1, 40) AS n;
        """
      )
      try await database.save(folder)
      let broken = try await database.call(
        "replay",
        folder.path,
        "--batch",
        "1",
        "--workers",
        "1",
        "--max-errors",
        "0"
      )
      #expect(broken.status == 74, "\(broken.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.n") < 40)
      let rest = try await database.call("replay", folder.path, "--json")
      #expect(rest.status == (isBad ? 65 : 0), "\(rest.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.n") == (isBad ? 39 : 40))
      #expect(try await database.call("errors", "list", "--json").json()["errors"].elements.count == (isBad ? 1 : 0))
    }
  }

  @Test func `a replay by other rules is another one`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try database.makePair(
        production: "id int PRIMARY KEY, v text CHECK (v <> 'bad'), changed int, updated_at int",
        staging: "id int, v text, changed int, updated_at int"
      )
      // By updated_at production is newer, by the other column staging.
      try database.run(
        """
        INSERT INTO production.t SELECT n, 'old', 1, 9 FROM generate_series(1, 10) AS n;
        INSERT INTO staging.t SELECT n, CASE WHEN n < 9 THEN 'new' ELSE 'bad' END, 5, CASE WHEN n < 9 THEN 2 ELSE 10 END
        FROM generate_series(1, 10) AS n;
        """
      )
      try await database.save(folder)
      let broken = try await database.call("replay", folder.path, "--batch", "1", "--workers", "1", "--max-errors", "0")
      #expect(broken.status == 74, "\(broken.transcript)")
      let other = try await database.call(
        arguments: ["replay", folder.path, "--json"],
        files: ["merge-engine.yaml": "version_column: changed"]
      )
      #expect(other.status == 65, "\(other.transcript)")
      #expect(try other.json()["totals"]["updated"].integer == 8)
      #expect(try database.count("SELECT count(*) FROM production.t WHERE v = 'new'") == 8)
    }
  }

  @Test func `the result is that of a merge, and the run's parameters say which snapshot it was`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      let manifest = try await prepare(database, folder)
      let outcome = try await database.call("replay", folder.path, "--json", "--batch", "60")
      #expect(outcome.status == 0)
      let json = try outcome.json()
      #expect(json["status"].text == "SUCCESS")
      #expect(json["batch"].integer == 60)
      #expect(json["tables"].table("orders")["inserted"].integer == 60)
      #expect(json["tables"].table("orders")["updated"].integer == 80)
      #expect(json["totals"]["read"].integer == 250)
      #expect(try database.differencesFromExpected() == 0)
      #expect(
        try database.value("SELECT parameters->'snapshot'->>'id' FROM admin.merge_summary")
          == manifest["snapshot_id"].text
      )
      #expect(try database.value("SELECT parameters->'snapshot'->>'directory' FROM admin.merge_summary") == folder.path)
    }
  }

  @Test func `a report is written as after a merge, and one that can't be blocks before anything is done`() async throws
  {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      let blocked = try await database.call("replay", folder.path, "--report", "/nowhere/at/all/report.html")
      #expect(blocked.status == 73)
      #expect(try database.number("SELECT count(*) FROM production.orders") == 140)
      let report = folder.url.deletingLastPathComponent().appending(path: "report.html")
      let outcome = try await database.call("replay", folder.path, "--report", report.path, "--json")
      #expect(outcome.status == 0)
      let page = try String(contentsOf: report, encoding: .utf8)
      #expect(page.contains("snapshot.directory"))
      #expect(page.contains(folder.path))
      // All orders and customers.
      #expect(page.contains("250"))
    }
  }

  @Test func `another key or version column than when the snapshot was taken is told`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      let plain = try await database.call("replay", folder.path)
      #expect(plain.status == 0)
      #expect(!plain.errors.contains("when the snapshot was taken"))
      try database.run(
        """
        ALTER TABLE production.orders DROP CONSTRAINT orders_pkey CASCADE;
        UPDATE production.orders SET order_date = coalesce(order_date, '2024-01-01');
        ALTER TABLE production.orders ADD PRIMARY KEY (order_id, customer_id)
        """
      )
      let outcome = try await database.call(
        arguments: ["replay", folder.path, "--table", "orders", "--config", "other.yaml"],
        files: ["other.yaml": "version_column: order_date\n"]
      )
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.errors.contains("rows are matched by order_id, customer_id, the key of production.orders"))
      #expect(outcome.errors.contains("it was order_id."))
      #expect(
        outcome.errors.contains("order_date decides which row is newer; when the snapshot was taken, updated_at did.")
      )
    }
  }

  @Test func `refused rows end with 65, are told, and errors retry says how they are tried again`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      try database.run("ALTER TABLE production.orders ADD CHECK (order_id <> 17) NOT VALID")
      let outcome = try await database.call("replay", folder.path)
      #expect(outcome.status == 65)
      #expect(outcome.output.contains("The next replay of the snapshot tries it again"))
      let list = try await database.call("errors", "list").output
      #expect(list.contains("order_id 17") && list.contains("merge-engine replay with the same snapshot"), "\(list)")
      #expect(!list.contains("errors retry"))
      let retry = try await database.call("errors", "retry")
      #expect(retry.status == 0)
      #expect(retry.errors.contains("1 refused row came from a snapshot"))
      #expect(try database.staged("NEW") == 200)
      try database.run("ALTER TABLE production.orders DROP CONSTRAINT orders_order_id_check")
      #expect(try await database.call("replay", folder.path).status == 0)
      #expect(try await database.call("errors", "list").output == "No refused rows.\n")
    }
  }

  @Test func `only the tables that are named are merged, and one that is not in the snapshot blocks`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      let before = try database.contents()
      let unknown = try await database.call("replay", folder.path, "--table", "orders", "--table", "items")
      #expect(unknown.status == 73)
      #expect(unknown.errors.contains("has no table items. It has: customers, orders."))
      #expect(try database.contents() == before)
      // The damage of a file that is not wanted is no obstacle.
      try folder.change("customers.pgcopy") { $0.removeAll() }
      let outcome = try await database.call("replay", folder.path, "--table", "orders", "--json")
      #expect(outcome.status == 0)
      #expect(try outcome.json()["tables"].elements.count == 1)
    }
  }

  @Test func `columns that production lacks block as in a merge`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      try database.run("ALTER TABLE production.orders DROP amount")
      let outcome = try await database.call("replay", folder.path)
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("the staging column amount does not exist in production.orders"))
      #expect(try database.number("SELECT count(*) FROM admin.merge_summary") == 0)
    }
  }

  @Test func `a table that production does not have is told and left out`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      try database.run("DROP TABLE production.customers CASCADE")
      let outcome = try await database.call("replay", folder.path, "--json")
      #expect(outcome.status == 0)
      #expect(outcome.errors.contains("snapshot.customers has no table of the same name in production: not merged"))
      #expect(try outcome.json()["tables"].elements.map { $0["table"].text } == ["orders"])
    }
  }

  @Test func `a file that changes while it is replayed ends with 74, and put back it goes on`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      try database.run(
        """
        CREATE TABLE production.gate (); INSERT INTO production.gate DEFAULT VALUES;
        CREATE FUNCTION production.stop() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          WHILE EXISTS (SELECT FROM production.gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
          RETURN NULL;
        END $$;
        CREATE TRIGGER stop AFTER INSERT OR UPDATE ON production.customers EXECUTE FUNCTION production.stop();
        """
      )
      let original = try folder.bytes("orders.pgcopy")
      let replay = try database.launch(["replay", folder.path, "--workers", "1"])
      try await database.wait(for: TestDatabase.somebodySleeps)
      try folder.change("orders.pgcopy") { $0[50] ^= 1 }
      try database.run("DELETE FROM production.gate")
      let outcome = try await replay.outcome()
      #expect(outcome.status == 74)
      #expect(
        outcome.errors.contains("orders: while reading \(folder.file("orders.pgcopy").path): it no longer exists")
      )
      try original.write(to: folder.file("orders.pgcopy"))
      #expect(try await database.call("replay", folder.path).status == 0)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.number("SELECT sum(records_read) FROM admin.merge_logs") == 250)
    }
  }

  @Test func `a role with the printed grants replays, and goes on with what is unfinished`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      _ = try await prepare(database, folder)
      let role = "replayer_\(database.name)"
      try database.run("CREATE ROLE \(role) LOGIN")
      try database.run(try await database.call("init", "--print-grants", role).output)
      try database.run("REVOKE ALL ON ALL TABLES IN SCHEMA staging FROM \(role)")
      let arguments = ["replay", folder.path, "--database", database.connectionString(role: role)]
      try database.run(SnapshotResumeTests.formerProgress)
      let denied = try await CommandLineProgram.run(arguments)
      #expect(denied.status == 73)
      for right in ["SELECT", "DELETE"] { #expect(denied.errors.contains("\(right) on admin.snapshot_progress")) }
      try database.run(try await database.call("init", "--print-grants", role).output)
      #expect(try await CommandLineProgram.run(arguments).status == 0)
      #expect(try database.differencesFromExpected() == 0)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test(arguments: [
    ["replay", "--help"], ["snapshot", "--help"], ["snapshot", "save", "--help"], ["snapshot", "info", "-h"],
  ])
  func `help goes to stdout and ends with 0`(arguments: [String]) async throws {
    let outcome = try await CommandLineProgram.run(arguments)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("USAGE: merge-engine"))
  }

  @Test func `replay takes the options of merge but those about staging`()
    async throws
  {
    func options(_ command: String) async throws -> Set<Substring> {
      let help = try await CommandLineProgram.run([command, "--help"]).output
      return Set(help.matches(of: /--[a-z][a-z-]+/).map(\.output))
    }
    let missing = try await options("merge").subtracting(try await options("replay"))
    #expect(missing == ["--again", "--mark", "--cleanup", "--no-cleanup", "--on-nodes", "--no-on-nodes"])
  }

  /// The guide's tables with 200 orders and 50 customers, saved.
  ///
  /// - Returns: the manifest.
  private func prepare(_ database: TestDatabase, _ folder: borrowing SnapshotFolder) async throws -> JSONValue {
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: 200, customerCount: 50)
    try database.expectGuideResult()
    let outcome = try await database.call("snapshot", "save", folder.path, "--json")
    try #require(outcome.status == 0)
    return try outcome.json()
  }
}
