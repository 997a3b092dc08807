import Foundation
import TestSupport
import Testing

/// `snapshot from-csv`: what DMS wrote to S3 becomes a snapshot, replay merges it, and deletes are left to repair.
@Suite struct SnapshotFromCSVTests {
  /// A folder of files as `aws s3 sync` leaves it, gone with its test.
  private final class Files {
    let path = FileManager.default.temporaryDirectory.appending(path: "merge-engine-csv-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    var snapshot: String { path + "/night" }

    func write(_ name: String, _ text: String) throws { try write(name, Data(text.utf8)) }

    func write(_ name: String, _ data: Data) throws {
      let url = URL(filePath: path).appending(path: name)
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: url)
    }

    /// Packs a file as DMS does with `CompressionType=GZIP`.
    func pack(_ name: String) async throws {
      let gzip = try CommandLineProgram([path + "/" + name], executable: URL(filePath: "/bin/gzip"))
      _ = try await gzip.outcome()
    }
  }

  private func makeOrders(_ database: TestDatabase) throws {
    try database.run(
      """
      CREATE SCHEMA production; CREATE TABLE public.done (n int);
      CREATE TABLE production.orders (order_id int PRIMARY KEY, note varchar(20), amount numeric(10,2), data bytea,
                                      updated_at timestamp);
      INSERT INTO production.orders SELECT n, 'old', n, NULL, '2025-01-01' FROM generate_series(1, 1000) n;
      """
    )
  }

  @Test func `a full load, packed and not, is merged by replay with CDC going on`() async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
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
  private func writeChanges(_ files: Files) throws {
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
      try makeOrders(database)
      let files = try Files()
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
      let files = try Files()
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
      let files = try Files()
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

  @Test func `delimiters, NULLs and quotes are what DMS was told`() async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
      try files.write("a.csv", "2025-01-02|2001|say \"|1|~2025-01-02|2002||NIL|~2025-01-02|2003|NIL|2|\\x01")
      let outcome = try await database.call(
        "snapshot",
        "from-csv",
        files.snapshot,
        "\(files.path)/a.csv",
        "--table",
        "orders",
        arguments: [
          "--columns", "updated_at, order_id, note, amount, data", "--delimiter", "|", "--row-delimiter", "\\x7e",
          "--null",
          "NIL", "--null", "", "--no-quotes",
        ]
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try await database.call("replay", files.snapshot).status == 0)
      #expect(
        try database.rows("SELECT order_id, note, amount, data FROM production.orders WHERE order_id > 2000 ORDER BY 1")
          == [#"(2001,"say """,1.00,)"#, "(2002,,,)", #"(2003,,2.00,"\\x01")"#]
      )
    }
  }

  @Test(arguments: [true, false])
  func `a carriage return at the end of rows is part of a value only where somebody says so`(
    isPart: Bool
  ) async throws {
    try await TestDatabase.with { database in
      try database.run(
        "CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at timestamp, note text)"
      )
      let files = try Files()
      try files.write("T/1.csv", "1,2025-01-02,NULL\r\n2,2025-01-02,x\r\n")
      try files.write("Q/1.csv", "1,2025-01-02,\"x\"\r\n")
      for folder in ["T", "Q"] {
        let refused = try await database.call(
          "snapshot",
          "from-csv",
          files.snapshot,
          "\(files.path)/\(folder)",
          "--table",
          "t"
        )
        #expect(refused.status == 73, "\(refused.transcript)")
        #expect(
          refused.errors.replacing(/\s+/, with: " ").contains("--row-delimiter '\\r\\n'"),
          "\(refused.transcript)"
        )
      }
      let outcome = try await database.call(
        "snapshot",
        "from-csv",
        files.snapshot,
        "\(files.path)/T",
        "--row-delimiter",
        isPart ? "\\n" : "\\r\\n"
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try await database.call("replay", files.snapshot).status == 0)
      #expect(
        try database.rows("SELECT note IS NULL, encode(note::bytea, 'hex') FROM production.t ORDER BY id")
          == (isPart ? ["(f,4e554c4c0d)", "(f,780d)"] : ["(t,)", "(f,78)"])
      )
    }
  }

  @Test func `links to folders lead to their files, and no folder further up is a table's`() async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
      let row = ",a,1.00,NULL,2025-01-02 00:00:00\n"
      try files.write("load/ORDERS/LOAD1.csv", "2001\(row)")
      try files.write("elsewhere/2025/03/20250301-000000000.csv", "2002\(row)")
      let manager = FileManager.default
      try manager.createSymbolicLink(
        atPath: files.path + "/load/ORDERS/2025",
        withDestinationPath: files.path + "/elsewhere/2025"
      )
      // Round and round.
      try manager.createSymbolicLink(
        atPath: files.path + "/elsewhere/2025/04",
        withDestinationPath: files.path + "/load/ORDERS"
      )
      try manager.createSymbolicLink(atPath: files.path + "/link", withDestinationPath: files.path + "/load")
      let outcome = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/link", "--json")
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try outcome.json()["tables"].elements.map { $0["snapshot_rows"].integer } == [2], "\(outcome.transcript)")
      try files.write("orders/RETURNS/LOAD1.csv", "2003\(row)")
      let others = try await database.call(
        "snapshot",
        "from-csv",
        files.path + "/other",
        "\(files.path)/orders/RETURNS"
      )
      #expect(
        others.status == 73 && others.errors.contains("lies in no folder named after a table"),
        "\(others.transcript)"
      )
    }
  }

  /// DMS's own way, unless it is asked for more: `AddColumnName` without `IncludeOpForFullLoad`.
  @Test func `a full load whose rows have no Op goes with changes that have it`() async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
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

  @Test func `times and intervals are read as asked in whatever they are a part of`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production;
        CREATE TABLE production.t (id int PRIMARY KEY, one timestamptz, several timestamptz[], span tstzrange, day timetz, i interval,
                                   updated_at timestamp);
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = "Asia/Kolkata"', current_database());
                    EXECUTE format('ALTER DATABASE %I SET IntervalStyle = sql_standard', current_database()); END $$
        """
      )
      let files = try Files()
      let time = "2025-01-01 12:00"
      try files.write("T/1.csv", "1,\(time),{\(time)},\"[\(time),)\",12:00,-3 04:00,2025-01-02\n")
      let outcome = try await database.call(
        "snapshot",
        "from-csv",
        files.snapshot,
        "\(files.path)/T",
        "--time-zone",
        "America/New_York"
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try await database.call("replay", files.snapshot).status == 0)
      let at = "timestamptz '2025-01-01 17:00Z'"
      #expect(
        try database.holds(
          """
          (SELECT one = \(at) AND several = ARRAY[\(at)] AND span = tstzrange(\(at), NULL) AND extract(timezone FROM day) = -18000
                  AND i = interval '-3 days -4 hours' FROM production.t)
          """
        )
      )
    }
  }

  @Test func `bad rows are left out and listed only when that is allowed`() async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
      try files.write(
        "a.csv",
        "I,2001,ok,1,NULL,2025-01-02\nI,x,ok,1,NULL,2025-01-02\nX,2003,ok,1,NULL,2025-01-02\nI,2004,ok\n"
          + "I,2005,\"two\nlines\",1,NULL,2025-01-02\nI,2006,ok,1,NULL,2025-13-02\nD,z,ok,1,NULL,2025-01-02\nI,2007,ok,1,NULL,2025-01-02\n"
      )
      let call = ["snapshot", "from-csv", files.snapshot, "\(files.path)/a.csv", "--table", "orders"]
      let strict = try await database.call(arguments: call)
      #expect(strict.status == 73)
      #expect(strict.errors.contains("a.csv, line 3, column Op: it is not I, U or D"), "\(strict.errors)")
      #expect(strict.errors.contains("--max-errors N"))
      #expect(!FileManager.default.fileExists(atPath: files.snapshot))
      #expect(try await database.call(arguments: call + ["--max-errors", "4"]).status == 73)
      let outcome = try await database.call(arguments: call + ["--max-errors", "5", "--json"])
      #expect(outcome.status == 65, "\(outcome.transcript)")
      let rejected = try outcome.json()["rejected"].elements.map {
        "\($0["line"].integer ?? 0) \($0["column"].text ?? "-")"
      }
      #expect(rejected.sorted() == ["2 order_id", "3 Op", "4 -", "7 updated_at", "8 order_id"])
      let list = try String(contentsOfFile: files.snapshot + "/rejected.csv", encoding: .utf8)
      #expect(list.split(separator: "\r\n").count == 6)
      #expect(try await database.call("replay", files.snapshot).status == 0)
      #expect(
        try database.rows("SELECT order_id, note FROM production.orders WHERE order_id > 2000 ORDER BY 1")
          == ["(2001,ok)", "(2005,\"two\nlines\")", "(2007,ok)"]
      )
    }
  }

  /// A file that can't be imported, and what is said of it.
  struct Refused: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var text = "2001,ok,1,NULL,2025-01-02\n"
    var arguments: [String] = ["--table", "orders"]
    let says: String
    var status: Int32 = 73
  }

  @Test(arguments: [
    Refused(testDescription: "fewer columns", text: "2001,ok\n", says: "its first row has 2 fields for 5 columns"),
    Refused(
      testDescription: "an open quote",
      text: "2001,\"ok,1\n",
      says: "a.csv, line 1: the file ends inside a quoted field"
    ),
    Refused(
      testDescription: "text behind quotes",
      text: "2001,\"ok\"x,1,NULL,2025-01-02\n",
      says: "line 1: there is text between"
    ),
    Refused(
      testDescription: "an unknown column",
      text: "order_id,notes,updated_at\n",
      arguments: ["--table", "orders", "--header"],
      says: "the column notes of"
    ),
    Refused(
      testDescription: "no key",
      text: "note,updated_at\nok,2025-01-01\n",
      arguments: ["--table", "orders", "--header"],
      says: "the key column order_id is missing"
    ),
    Refused(
      testDescription: "an unknown table",
      arguments: ["--table", "ordes"],
      says: "there is no table production.ordes"
    ),
    Refused(
      testDescription: "no table's folder",
      arguments: [],
      says: "lies in no folder named after a table"
    ),
    Refused(
      testDescription: "columns twice",
      arguments: ["--table", "orders", "--header", "--columns", "a"],
      says: "give only one of them",
      status: 64
    ),
    Refused(
      testDescription: "a delimiter that is none",
      arguments: ["--table", "orders", "--delimiter", "\\q"],
      says: "a backslash must be followed by",
      status: 64
    ),
    Refused(
      testDescription: "a header that was not told",
      text: "order_id,note,amount,data,updated_at\n",
      says: "line 1, column order_id"
    ),
  ])
  func `what does not fit is refused with its reason, and leaves nothing`(_ refused: Refused) async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
      try files.write("a.csv", refused.text)
      let outcome = try await database.call(
        "snapshot",
        "from-csv",
        files.snapshot,
        "\(files.path)/a.csv",
        arguments: refused.arguments
      )
      #expect(outcome.status == refused.status, "\(outcome.transcript)")
      #expect(outcome.errors.contains(refused.says), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: files.snapshot))
    }
  }

  @Test func `a packed file that was cut off, and a folder without files, are told`() async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
      try files.write("a.csv", (1...50_000).map { "\($0 + 5000),\(UUID()),1,NULL,2025-01-02\n" }.joined())
      try await files.pack("a.csv")
      let whole = try Data(contentsOf: URL(filePath: files.path + "/a.csv.gz"))
      try files.write("a.csv.gz", whole.prefix(whole.count / 2))
      let outcome = try await database.call(
        "snapshot",
        "from-csv",
        files.snapshot,
        "\(files.path)/a.csv.gz",
        "--table",
        "orders"
      )
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("a.csv.gz can't be read: "), "\(outcome.errors)")
      #expect(!FileManager.default.fileExists(atPath: files.snapshot))
      try FileManager.default.createDirectory(atPath: files.path + "/empty", withIntermediateDirectories: true)
      let empty = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/empty")
      #expect(empty.status == 73)
      #expect(empty.errors.contains("whose name ends in .csv or .csv.gz"))
    }
  }

  @Test func `a byte order mark is no part of a value, and a name stands for one field`() async throws {
    try await TestDatabase.with { database in
      try makeOrders(database)
      let files = try Files()
      try files.write("marked/ORDERS/1.csv", "\u{FEFF}2000,a,1.00,NULL,2025-01-02 00:00:00\n")
      let marked = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/marked")
      #expect(marked.status == 0, "\(marked.transcript)")
      let header = "ORDER_ID,order_id,NOTE,AMOUNT,DATA,UPDATED_AT,order_id\n"
      try files.write("twice/ORDERS/1.csv", "\u{FEFF}\(header)1,2,a,1.00,NULL,2025-01-02 00:00:00,3\n")
      let twice = try await database.call(
        "snapshot",
        "from-csv",
        files.path + "/other",
        "\(files.path)/twice",
        "--header"
      )
      #expect(twice.status == 73, "\(twice.transcript)")
      #expect(twice.errors.replacing(/\s+/, with: " ").contains("2 fields are called order_id"), "\(twice.errors)")
    }
  }
}
