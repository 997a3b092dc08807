import Foundation
import TestSupport
import Testing

/// `snapshot from-csv`: what DMS wrote to S3 becomes a snapshot, replay merges it, and deletes are left to repair.
@Suite struct SnapshotFromCSVTests {
  @Test func `a full load, packed and not, is merged by replay with CDC going on`() async throws {
    try await TestDatabase.with { database in
      try database.makeOrders()
      let files = try CSVFolder()
      func line(_ n: Int) -> String { "\(n),\"loaded, \"\"\(n)\"\"\",\(n).5,0AFF,2025-01-02 00:00:00.250000\n" }
      try files.write("load/SALES/ORDERS/LOAD00000001.csv", (500...900).map(line).joined())
      try files.write("load/SALES/ORDERS/LOAD0000000A.csv", (901...6000).map(line).joined() + "6001,NULL,\"NULL\",,\n")
      try await files.pack("load/SALES/ORDERS/LOAD00000001.csv")
      let bad = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load")
      #expect(bad.status == 73, "\(bad.transcript)")
      #expect(bad.errors.contains("LOAD0000000A.csv, line 5101, column amount: "), "\(bad.errors)")
      #expect(!FileManager.default.fileExists(atPath: files.snapshot))
      try files.write(
        "load/SALES/ORDERS/LOAD0000000A.csv",
        (901...6000).map(line).joined() + "6001,NULL,NULL,NULL,NULL\n"
      )
      let outcome = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let table = try outcome.json()["tables"].elements[0]
      #expect(table["table"].text == "orders")
      #expect(table["files"].integer == 2)
      #expect(table["snapshot_rows"].integer == 5502)
      #expect(try await CommandLineProgram.run(["snapshot", "info", files.snapshot]).status == 0)
      let connectionString = database.connectionString
      let writing = Task {
        try await onItsOwnThread {
          let session = try TestDatabase(connectionString: connectionString)
          // Until the replay is done, which a row of a table tells.
          while try session.count("SELECT count(*) FROM public.done") == 0 {
            try session.run(
              """
              UPDATE production.orders SET note = 'cdc', updated_at = '2025-03-01'
              WHERE order_id = ANY (array(SELECT (random() * 6000)::int FROM generate_series(1, 20)))
              """
            )
          }
        }
      }
      let replay = try await database.call("replay", files.snapshot, "--batch", "500", "--workers", "2", "--json")
      try database.run("INSERT INTO public.done VALUES (1)")
      try await writing.value
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(try replay.json()["totals"]["read"].integer == 5502)
      #expect(
        try database.count(
          """
          SELECT count(*) FROM production.orders
          WHERE order_id BETWEEN 500 AND 6000 AND note <> 'cdc'
            AND (note, amount, data, updated_at) IS DISTINCT FROM
                ('loaded, "' || order_id || '"', order_id + 0.5, '\\x0aff'::bytea, timestamp '2025-01-02 00:00:00.25')
          """
        ) == 0
      )
      #expect(try database.count("SELECT count(*) FROM production.orders WHERE order_id <= 6001") == 6001)
      #expect(
        try database.rows("SELECT * FROM production.orders WHERE order_id = 6001 AND note IS NULL") == ["(6001,,,,)"]
      )
    }
  }

  /// Files with Op, names and a timestamp: a load, and changes after it.
  private func writeChanges(_ files: CSVFolder) throws {
    let head = "Op,dms_at,ORDER_ID,NOTE,AMOUNT,DATA,UPDATED_AT\n"
    try files.write(
      "load/ORDERS/LOAD00000001.csv",
      head
        + (1...10).map { "I,2025-02-01 00:00:00.000000,\($0),load,1,NULL,2025-01-02 00:00:00\n" }.joined()
        + "I,2025-02-01 00:00:00.000000,2001,load,1,NULL,2025-01-02 00:00:00\n"
        + "I,2025-02-01 00:00:00.000000,2002,load,1,NULL,2025-01-02 00:00:00\n"
    )
    try files.write(
      "load/ORDERS/2025/02/02/20250202-000000000.csv",
      head + """
        U,2025-02-02 00:00:00.000000,1,changed,1,NULL,2025-02-02 00:00:00
        D,2025-02-02 00:00:00.000000,2,load,1,NULL,2025-01-02 00:00:00
        D,2025-02-02 00:00:00.000000,3,load,1,NULL,2025-01-02 00:00:00
        D,2025-02-02 00:00:00.000000,4,load,1,NULL,2025-01-02 00:00:00
        D,2025-02-02 00:00:00.000000,2001,load,1,NULL,2025-01-02 00:00:00
        D,2025-02-02 00:00:00.000000,50,old,1,NULL,2025-01-01 00:00:00
        D,2025-02-02 00:00:00.000000,51,NULL,NULL,NULL,NULL
        D,2025-02-02 00:00:00.000000,5,load,1,NULL,2025-01-02 00:00:00

        """
    )
    try files.write(
      "load/ORDERS/2025/02/03/20250203-000000000.csv",
      head + "I,2025-02-03 00:00:00.000000,5,again,1,NULL,2025-02-03 00:00:00\n"
    )
  }

  @Test func `deletes are never applied by themselves, bring no row back, and are for repair`() async throws {
    try await TestDatabase.with { database in
      try database.makeOrders()
      let files = try CSVFolder()
      try writeChanges(files)
      // CDC has deleted 3 already, and has a newer 4.
      try database.run(
        """
        DELETE FROM production.orders WHERE order_id = 3;
        UPDATE production.orders SET note = 'newer', updated_at = '2025-04-01' WHERE order_id = 4
        """
      )
      let outcome = try await database.call(
        "snapshot",
        "from-csv",
        files.snapshot,
        "\(files.path)/load",
        "--table",
        "orders",
        "--header",
        "--ignore-column",
        "dms_at"
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(
        outcome.output.contains("3 still in production, 2 gone from production already, 1 now newer in production"),
        "\(outcome.output)"
      )
      #expect(outcome.output.contains("1 of them without a version"))
      let info = try await CommandLineProgram.run(["snapshot", "info", files.snapshot, "--json"])
      #expect(try info.json()["tables"].elements[0]["rows"].integer == 9)
      #expect(try info.json()["tables"].elements[0]["columns"].elements.last?["name"].text == "_dms_op")
      let before = try database.count("SELECT count(*) FROM production.orders")
      let replay = try await database.call("replay", files.snapshot)
      #expect(replay.status == 0, "\(replay.transcript)")
      // 2002 came, and neither 2001 nor 3 came back.
      #expect(try database.count("SELECT count(*) FROM production.orders") == before + 1)
      #expect(
        try database.rows(
          "SELECT order_id, note FROM production.orders WHERE order_id IN (1, 2, 3, 4, 5, 2001, 2002) ORDER BY 1"
        )
          == ["(1,changed)", "(2,old)", "(4,newer)", "(5,again)", "(2002,load)"]
      )
      let deletes = files.snapshot + "/deletes.jsonl"
      let plan = try await database.call("repair", deletes, "--kind", "extra", "--plan", "--json")
      #expect(try plan.json()["totals"]["deleted"].integer == 3, "\(plan.transcript)")
      #expect(try database.count("SELECT count(*) FROM production.orders") == before + 1)
      // CDC has changed 51 since.
      try database.run("UPDATE production.orders SET note = 'cdc', updated_at = '2025-05-01' WHERE order_id = 51")
      let few = try await database.call("repair", deletes, "--kind", "extra", "--max-extra-percent", "0.1")
      #expect(few.status == 73)
      #expect(few.errors.contains("3 of 1000 rows of the table (0.3 %) would be deleted"), "\(few.errors)")
      let repair = try await database.call("repair", deletes, "--kind", "extra", "--json")
      #expect(repair.status == 65, "\(repair.transcript)")
      #expect(try repair.json()["totals"]["deleted"].integer == 2)
      #expect(try repair.json()["tables"].elements[0]["reasons"]["changed since"].integer == 1)
      #expect(try database.rows("SELECT order_id FROM production.orders WHERE order_id IN (2, 50, 51)") == ["(51)"])
      let run = try #require(try repair.json()["run_id"].integer)
      #expect(try await database.call("rollback", "\(run)").status == 0)
      #expect(try database.count("SELECT count(*) FROM production.orders WHERE order_id IN (2, 50)") == 2)
    }
  }

  /// A key of production's type, one that is kept, and two that would be it.
  @Test(arguments: [
    ("numeric(6,2)", "1.000", "1.001", "1.004"),
    ("date", "2025-01-01 00:00:00", "2025-01-01 10:00:00", "2025-01-01 11:00:00"),
    ("timestamp", "2025-01-01 00:00:00.123456", "2025-01-01 00:00:00.1234561", "2025-01-01 00:00:00.1234562"),
    ("timestamp(0)", "2025-01-01 00:00:01", "2025-01-01 00:00:00.9", "2025-01-01 00:00:01.1"),
    ("timestamptz(0)", "2025-01-01 00:00:01", "2025-01-01 00:00:00.9", "2025-01-01 00:00:01.1"),
    ("time(0)", "10:00:00", "10:00:00.4", "10:00:00.3"), ("real", "16777216", "16777217", "16777217"),
    ("float8", "9007199254740992", "9007199254740993", "9007199254740993"),
    ("date[]", "{2025-01-01}", "{2025-01-01 10:00}", "{2025-01-01 11:00}"),
  ])
  func `a key that production's type would change is a bad row, of a delete too`(
    type: String,
    kept: String,
    one: String,
    other: String
  ) async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (k \(type) PRIMARY KEY, v text, updated_at timestamp);
        INSERT INTO production.t VALUES ('\(kept)', 'another row', '2024-01-01')
        """
      )
      let files = try CSVFolder()
      try files.write("load/T/1.csv", "I,\(one),x,2025-01-01\nD,\(other),y,2025-01-02\n")
      let refused = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load")
      #expect(refused.status == 73 && refused.errors.contains("line 2, column k"), "\(refused.transcript)")
      let words = refused.errors.replacing(/\s+/, with: " ")
      #expect(words.contains("the key k \(other) would become"), "\(refused.transcript)")
      let allowed = try await database.call(
        "snapshot",
        "from-csv",
        files.snapshot,
        "\(files.path)/load",
        "--max-errors",
        "2",
        "--json"
      )
      #expect(try allowed.json()["tables"].table("t")["rejected"].integer == 2, "\(allowed.transcript)")
      #expect(try allowed.json()["tables"].table("t")["deletes_in_production"].integer == 0, "\(allowed.transcript)")
      try files.write("load/T/1.csv", "D,\(kept),x,2025-01-02\n")
      let found = try await database.call("snapshot", "from-csv", files.path + "/found", "\(files.path)/load", "--json")
      #expect(try found.json()["tables"].table("t")["deletes_in_production"].integer == 1, "\(found.transcript)")
    }
  }

  @Test func `Op beside a column OP is the operation`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, op text, updated_at date)"
      )
      let files = try CSVFolder()
      try files.write("load/T/1.csv", "Op,ID,OP,UPDATED_AT\nI,1,x,2025-01-01\nU,1,y,2025-01-02\n")
      let taken = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load", "--header")
      #expect(taken.status == 0, "\(taken.transcript)")
      #expect(try await database.call("replay", files.snapshot).status == 0)
      #expect(try database.rows("TABLE production.t") == ["(1,y,2025-01-02)"])
    }
  }

  @Test func `a column that is called as what Op becomes is named`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, _dms_op char(1), updated_at date)"
      )
      let files = try CSVFolder()
      try files.write("load/t/LOAD00000001.csv", "U,1,x,2025-01-01\nI,2,y,2025-01-02\n")
      let refused = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load")
      #expect(refused.status == 73 && refused.errors.contains("--ignore-column _dms_op"), "\(refused.transcript)")
      try files.write("load/t/LOAD00000001.csv", "1,x,2025-01-01\n2,y,2025-01-02\n")
      let taken = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load")
      #expect(taken.status == 0, "\(taken.transcript)")
      #expect(try await database.call("replay", files.snapshot).status == 0)
      #expect(try database.rows("TABLE production.t ORDER BY id") == ["(1,x,2025-01-01)", "(2,y,2025-01-02)"])
    }
  }

  @Test func `a delete finds its row however production's collation lets the key be spelled`() async throws {
    try await TestDatabase.with { database in
      guard try database.makeCaseless() else { return }
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.codes (k text COLLATE public.caseless PRIMARY KEY, v int, updated_at timestamp);
        INSERT INTO production.codes VALUES ('There', 1, '2025-01-01');
        """
      )
      let files = try CSVFolder()
      func line(_ operation: String, _ key: String) -> String { "\(operation),\(key),1,2025-01-02 00:00:00\n" }
      // X goes, y goes and comes again, and of one row in production there are two deletes.
      try files.write(
        "load/CODES/1.csv",
        [("I", "x"), ("I", "99"), ("I", "y"), ("D", "X"), ("D", "Y"), ("I", "y"), ("D", "there"), ("D", "THERE")]
          .map { line($0, $1) }.joined()
      )
      let outcome = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let table = try outcome.json()["tables"].elements[0]
      #expect(table["snapshot_rows"].integer == 2, "\(outcome.transcript)")
      #expect(table["deletes_in_production"].integer == 1, "\(outcome.transcript)")
      #expect(table["deletes_gone"].integer == 1, "\(outcome.transcript)")
      let replay = try await database.call("replay", files.snapshot)
      #expect(replay.status == 0, "\(replay.transcript)")
      #expect(try database.rows("SELECT k FROM production.codes ORDER BY k") == ["(99)", "(There)", "(y)"])
    }
  }

  @Test func `a delete finds its row by a key of a type without a binary form`() async throws {
    try await TestDatabase.with { database in
      guard try database.holds("EXISTS (SELECT FROM pg_available_extensions WHERE name = 'isn')") else { return }
      try database.run(
        """
        CREATE SCHEMA production; CREATE EXTENSION isn;
        CREATE TABLE production.books (k isbn13 PRIMARY KEY, v int, updated_at timestamp);
        """
      )
      let files = try CSVFolder()
      func line(_ operation: String, _ key: String) -> String { "\(operation),\(key),1,2025-01-02 00:00:00\n" }
      try files.write(
        "load/BOOKS/1.csv",
        [("I", "978-0-393-04002-9"), ("I", "978-0-306-40615-7"), ("D", "9780393040029")].map { line($0, $1) }
          .joined()
      )
      let outcome = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["tables"].elements[0]["snapshot_rows"].integer == 1, "\(outcome.transcript)")
      #expect(try await database.call("replay", files.snapshot).status == 0)
      #expect(try database.rows("SELECT k FROM production.books") == ["(978-0-306-40615-7)"])
    }
  }

  /// DMS's own way, unless it is asked for more: `AddColumnName` without `IncludeOpForFullLoad`.
  @Test func `a full load whose rows have no Op goes with changes that have it`() async throws {
    try await TestDatabase.with { database in
      try database.makeOrders()
      let files = try CSVFolder()
      let names = "ORDER_ID,NOTE,AMOUNT,DATA,UPDATED_AT\n"
      try files.write("load/ORDERS/LOAD1.csv", names + (2001...2003).map { "\($0),a,1,NULL,2025-01-02\n" }.joined())
      try files.write(
        "load/ORDERS/20250102-000000000.csv",
        "Op," + names + "U,2001,b,1,NULL,2025-01-03\nD,2002,a,1,NULL,2025-01-02\nI,2004,c,1,NULL,2025-01-03\n"
      )
      let outcome = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load", "--header")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try await database.call("replay", files.snapshot).status == 0)
      #expect(
        try database.rows("SELECT order_id, note FROM production.orders WHERE order_id > 2000 ORDER BY 1")
          == ["(2001,b)", "(2003,a)", "(2004,c)"]
      )
    }
  }
}
