import Foundation
import TestSupport
import Testing

/// `snapshot from-csv`: which files are read, how they are written, and what is said of those that don't fit.
@Suite struct CSVFilesTests {
  @Test func `delimiters, NULLs and quotes are what DMS was told`() async throws {
    try await TestDatabase.with { database in
      try database.makeOrders()
      let files = try CSVFolder()
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
      let files = try CSVFolder()
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
      try database.makeOrders()
      let files = try CSVFolder()
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

  /// One that only its name leads to is too far down for the system, whoever asks.
  @Test func `what can't be looked at is told, since it may be a folder of files`() async throws {
    try await TestDatabase.with { database in
      try database.makeOrders()
      let files = try CSVFolder()
      try files.write("load/ORDERS/LOAD1.csv", "2001,a,1.00,NULL,2025-01-02 00:00:00\n")
      let manager = FileManager.default
      let steps = Array(repeating: String(repeating: "1", count: 250), count: 9).joined(separator: "/")
      try manager.createDirectory(atPath: "\(files.path)/load/ORDERS/\(steps)", withIntermediateDirectories: true)
      try manager.createDirectory(atPath: "\(files.path)/lower/\(steps)", withIntermediateDirectories: true)
      let far = "\(files.path)/load/ORDERS/\(steps)/2025"
      try manager.moveItem(atPath: "\(files.path)/lower", toPath: far)
      let outcome = try await database.call("snapshot", "from-csv", files.snapshot, "\(files.path)/load")
      try manager.moveItem(atPath: far, toPath: "\(files.path)/lower")
      #expect(outcome.status == 73 && outcome.errors.contains("can't be read"), "\(outcome.transcript)")
    }
  }

  @Test func `a database that takes no writes, and policies that hide rows, are told with what helps`() async throws {
    try await TestDatabase.with { database in
      try database.makeOrders()
      let files = try CSVFolder()
      try files.write("load/ORDERS/1.csv", "D,2,a,1.00,NULL,2025-01-02 00:00:00\n")
      let role = "reader_\(UUID().uuidString.prefix(8).lowercased())"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN; GRANT USAGE ON SCHEMA production TO \(role); GRANT SELECT ON production.orders TO \(role);
        ALTER TABLE production.orders ENABLE ROW LEVEL SECURITY
        """
      )
      let arguments = ["snapshot", "from-csv", files.snapshot, "\(files.path)/load"]
      let hidden = try await CommandLineProgram.run(
        arguments + ["--database", database.connectionString(role: role)]
      )
      #expect(hidden.status == 73 && hidden.errors.contains("BYPASSRLS"), "\(hidden.transcript)")
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
      try database.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$"
      )
      let readOnly = try await database.call(arguments: arguments)
      #expect(readOnly.status == 73 && readOnly.errors.contains("the session is read-only"), "\(readOnly.transcript)")
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
      let files = try CSVFolder()
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
      try database.makeOrders()
      let files = try CSVFolder()
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
      testDescription: "a column in two cases",
      text: "order_id,ORDER_ID,updated_at\n1,2,2025-01-01\n",
      arguments: ["--table", "orders", "--header"],
      says: "the fields ORDER_ID and order_id of"
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
      try database.makeOrders()
      let files = try CSVFolder()
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
      try database.makeOrders()
      let files = try CSVFolder()
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
      try database.makeOrders()
      let files = try CSVFolder()
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
