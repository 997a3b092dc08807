import Foundation
import Libpq
import PrivateCluster

/// A database of its own for one test, with a connection to look into it.
///
/// ```swift
/// try await TestDatabase.with { database in
///   try database.run("CREATE SCHEMA staging; …")
///   let report = try await database.merge { $0.batchRows = 100 }
///   #expect(try database.rows("TABLE production.orders ORDER BY 1") == ["(1,open)"])
/// }
/// ```
public final class TestDatabase {
  /// What the engine and other connections of a test connect to.
  public let connectionString: String
  /// The same, parsed.
  public let target: ConnectionTarget
  /// The test's own connection.
  public let connection: Connection

  /// How a database differs from the server's default, UTF-8 in the locale C.UTF-8.
  public enum Encoding: String, CaseIterable, Sendable {
    /// The default.
    case utf8 = ""
    /// UTF-8, ordered by bytes.
    case utf8InC = "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    /// One byte a letter.
    case latin1 = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    /// Letters beyond ASCII have up to three bytes, more than in UTF-8.
    case eucJP = "TEMPLATE template0 ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C'"
    /// Bytes of no encoding.
    case sqlASCII = "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
  }

  /// Connects to a database that is there.
  public init(connectionString: String) throws {
    self.connectionString = connectionString
    target = try ConnectionTarget(connectionString)
    connection = try Connection(to: target, applicationName: "test") { _ in }
  }

  /// Makes a database, runs `body` with it, and drops it.
  public static func with(
    _ encoding: Encoding = .utf8,
    in lane: Lane = .working,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await lane.turn {
      let cluster = try await TestServer.shared()
      try await withDatabase(of: cluster, encoding.rawValue) { try await body($0) }
    }
  }

  /// Makes two databases of the same server, for production and for staging.
  public static func withPair(
    in lane: Lane = .working,
    _ body: (_ production: TestDatabase, _ staging: TestDatabase) async throws -> Void
  ) async throws {
    try await with(in: lane) { production in
      try await with { staging in try await body(production, staging) }
    }
  }

  /// Makes a database like one that was prepared, runs `body` with it, and drops it.
  public static func with(
    copyOf template: DatabaseTemplate,
    in lane: Lane = .working,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    try await lane.turn {
      let name = try await template.name()
      try await withDatabase(of: try await TestServer.shared(), "TEMPLATE \(name)") { try await body($0) }
    }
  }

  private static func withDatabase(
    of cluster: PrivateCluster,
    _ properties: String,
    _ body: (TestDatabase) async throws -> Void
  ) async throws {
    let name = "test_\(UUID().uuidString.prefix(13).lowercased().replacing("-", with: "_"))"
    let administration = try TestDatabase(connectionString: cluster.connectionString())
    try administration.run("CREATE DATABASE \(name) \(properties)")
    let result: Result<Void, any Error>
    do {
      try await body(TestDatabase(connectionString: cluster.connectionString(database: name)))
      result = .success(())
    } catch {
      result = .failure(error)
    }
    try administration.run("DROP DATABASE \(name) WITH (FORCE)")
    try result.get()
  }

  // MARK: Connecting

  /// Another connection, as CDC has one.
  public func connect() throws -> TestDatabase { try TestDatabase(connectionString: connectionString) }

  /// What connects as another role, over the socket, where nobody asks for a password.
  public func connectionString(role: String) -> String {
    connectionString.replacing("user='postgres'", with: "user='\(role)'")
  }

  /// The database's name.
  public private(set) lazy var name = (try? value("current_database()")) ?? ""

  // MARK: The server

  /// Makes a collation under which `a` and `A` are equal, and says whether it could: servers of the test matrix are built without ICU.
  public func makeCaseless(_ collation: String = "public.caseless") throws -> Bool {
    guard try hasICU() else { return false }
    try run("CREATE COLLATION \(collation) (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    return true
  }

  private func hasICU() throws -> Bool {
    // The default has turned round with 16.
    try count(
      """
      SELECT count(*) FROM pg_config
      WHERE name = 'CONFIGURE'
        AND (setting LIKE '%--with-icu%'
             OR current_setting('server_version_num')::int >= 160000 AND setting NOT LIKE '%--without-icu%')
      """
    ) > 0
  }

  /// Whether the server was built with libxml. Some servers of the test matrix are not.
  public func hasXML() throws -> Bool {
    try count("SELECT count(*) FROM pg_config WHERE name = 'CONFIGURE' AND setting LIKE '%libxml%'") > 0
  }

  // MARK: SQL

  /// Runs one or several statements.
  ///
  /// - Returns: how many rows the last of them changed.
  @discardableResult
  public func run(_ sql: String) throws -> Int {
    try connection.execute(.uncheckedFromServer(sql), "running a test's statements")
  }

  /// The rows of a query, each as the text of a record: `(1,open,"2025-01-01 00:00:00")`.
  public func rows(_ query: String) throws -> [String] {
    let result = try connection.query(
      .uncheckedFromServer("SELECT r::text FROM (\(query)) AS r"),
      "querying for a test"
    )
    return (0..<result.count).compactMap { result.text($0, 0) }
  }

  /// The same in the order of their texts.
  public func sortedRows(_ query: String) throws -> [String] { try rows(query).sorted() }

  /// The first value of a query as text; nil for NULL and for no row.
  public func value(_ query: String) throws -> String? {
    let result = try connection.query(.uncheckedFromServer("SELECT (\(query))::text"), "querying for a test")
    return result.text(0, 0)
  }

  /// The first value of a query as a number; nil for NULL and for no row.
  public func number(_ query: String) throws -> Int? { try value(query).flatMap { Int($0) } }

  /// The first value of a query as a number; 0 for NULL and for no row.
  public func count(_ query: String) throws -> Int { try number(query) ?? 0 }

  /// Whether a condition holds.
  public func holds(_ condition: String) throws -> Bool { try value("(\(condition)) IS TRUE") == "true" }

  /// Loads CSV with a header, which names the columns.
  public func copy(csv: String, into table: String) throws {
    let columns = csv.prefix { !$0.isNewline }
    let sql = "COPY \(table) (\(columns)) FROM STDIN (FORMAT csv, HEADER)"
    _ = try connection.copyIn(.uncheckedFromServer(sql), "loading a fixture") { stream in
      let bytes = Array(csv.utf8)
      // Safe: UInt8 has no padding.
      unsafe try stream.write(bytes.span.bytes)
    }
  }

  /// Rows of only one of two tables or queries, as text, so that types without equality can be compared too.
  public func difference(_ left: String, _ right: String) throws -> [String] {
    func texts(_ source: String) -> String { "SELECT t::text AS t FROM (\(source)) AS t" }
    func only(_ side: String, _ one: String, _ other: String) -> String {
      "SELECT '\(side)' AS side, d.t FROM (\(texts(one)) EXCEPT ALL \(texts(other))) AS d"
    }
    return try rows("\(only("left", left, right)) UNION ALL \(only("right", right, left)) LIMIT 10")
  }

  /// Everything that is in the database: schemas, relations with their columns, and the rows of every table with the
  /// transaction that wrote them. The same before and after means that nothing was written.
  public func contents() throws -> [String] {
    let own = "NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    var contents = try sortedRows("SELECT nspname FROM pg_namespace WHERE nspname \(own)")
    contents += try sortedRows(
      """
      SELECT n.nspname, c.relname, c.relkind, c.reloptions, c.relpersistence, c.relacl::text,
             array(SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
                   WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum) AS columns
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname \(own)
      """
    )
    let tables = try connection.query(
      .uncheckedFromServer(
        """
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname \(own) ORDER BY 1
        """
      ),
      "looking at the database"
    )
    for row in 0..<tables.count {
      let table = tables.text(row, 0) ?? ""
      contents += try sortedRows("SELECT '\(table.replacing("'", with: "''"))', t.xmin, t.ctid, t.* FROM \(table) AS t")
    }
    return contents
  }
}
