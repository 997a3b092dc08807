import CLibpq
import Foundation

/// Where to connect to: a libpq URI or keyword string, or nothing, which leaves it to libpq's own environment.
///
/// The string may hold a password, so the type has no description that shows it.
/// Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>
public struct ConnectionTarget: Sendable, CustomStringConvertible, CustomReflectable {
  let connectionString: String?

  /// The database instead of the one that the string or the environment names; nil for that one.
  private(set) var databaseName: String?

  /// The server instead of the one that the string or the environment names; nil for that one.
  private(set) var server: Server?

  /// Another server, and what a session there begins with.
  struct Server: Sendable {
    let host: String
    let port: Int
    let startOptions: String
  }

  /// The database without its server, as `database shop`.
  private let databaseDescription: String

  /// What the string or the environment has a session begin with; nil for nothing.
  private let startOptions: String?

  /// Whether the string or the environment names an address, which goes before any host.
  private let namesAddress: Bool

  /// The server and database without anything secret, as `database shop on db.example:5432`.
  public private(set) var description: String

  /// Whether the string itself holds a password.
  public let holdsPassword: Bool

  /// The file of passwords that the string names; nil when it names none.
  let passwordFile: String?

  /// Whether the string gives libpq a choice of servers; nil when it names none.
  private(set) var namesSeveralHosts: Bool?

  /// Gives the password of each new connection anew; nil where the string or libpq's environment has it, or none is needed.
  ///
  /// Called on the thread that connects. What it throws ends the attempt.
  public var passwordSource: (@Sendable () throws(PostgresError) -> String)?

  /// Keeps the connection string out of `dump` and of string interpolation.
  public var customMirror: Mirror { Mirror(self, children: ["target": description]) }

  /// Checks the string's form without connecting.
  ///
  /// - Parameter connectionString: URI or keywords; nil for `PGHOST`, `PGSERVICE` and their like alone.
  /// - Throws: ``PostgresError`` with origin `connecting` when the string cannot be parsed. The message does not
  ///   repeat the string, since it may hold a password.
  public init(_ connectionString: String?) throws(PostgresError) {
    self.connectionString = connectionString
    guard let connectionString else {
      description = Self.description([:])
      databaseDescription = Self.databaseDescription([:])
      startOptions = Self.value("options", "PGOPTIONS", [:])
      namesAddress = Self.value("hostaddr", "PGHOSTADDR", [:]) != nil
      holdsPassword = false
      passwordFile = nil
      namesSeveralHosts = nil
      return
    }
    var parserMessage: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(connectionString, &parserMessage) else {
      PQfreemem(parserMessage)
      if let name = UnknownKeyword.name(in: connectionString) {
        throw Self.malformed("libpq knows no parameter \(name)")
      }
      throw Self.malformed("it is neither a URI postgresql://user@host/database nor keywords like host=… dbname=…")
    }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    if let reason = Self.misreading(connectionString, values) { throw Self.malformed(reason) }
    holdsPassword = values["password"] != nil || values["sslpassword"] != nil
    passwordFile = values["passfile"]
    let hosts = [values["host"], values["hostaddr"]].compactMap(\.self)
    namesSeveralHosts = hosts.isEmpty ? nil : hosts.contains { $0.contains(",") }
    description = Self.description(values)
    databaseDescription = Self.databaseDescription(values)
    startOptions = Self.value("options", "PGOPTIONS", values)
    // An empty one names none, and keeps the environment from naming one.
    namesAddress = Self.value("hostaddr", "PGHOSTADDR", values)?.isEmpty == false
  }

  /// - Parameter values: what the string says; libpq takes the rest from the environment.
  private static func description(_ values: [String: String]) -> String {
    func value(_ keyword: String, _ variable: String) -> String? { Self.value(keyword, variable, values) }
    let service = value("service", "PGSERVICE").map { "service \($0)" }
    // What a service says comes before the environment.
    let host =
      values["host"] ?? values["hostaddr"] ?? service ?? value("host", "PGHOST") ?? value("hostaddr", "PGHOSTADDR")
      ?? "the default host"
    let port = values["port"] ?? (service == nil ? value("port", "PGPORT") : nil)
    return databaseDescription(values) + " on " + host + (port.map { ":" + $0 } ?? "")
  }

  private static func databaseDescription(_ values: [String: String]) -> String {
    value("dbname", "PGDATABASE", values).map { "database \($0)" } ?? "the default database"
  }

  /// What the string says of a keyword, or else the environment.
  private static func value(_ keyword: String, _ variable: String, _ values: [String: String]) -> String? {
    values[keyword] ?? ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The same database of another server, with the same login.
  ///
  /// - Parameter startOptions: what sessions there begin with, besides what the string or the environment has them begin with.
  /// - Throws: ``PostgresError`` with origin `connecting` when the string or the environment names an address (`hostaddr`),
  ///   which would go before the host.
  package func server(host: String, port: Int, startOptions: String) throws(PostgresError) -> ConnectionTarget {
    guard !namesAddress else {
      throw PostgresError(
        .connecting,
        message: "hostaddr leads to one server only: name it by host instead",
        operation: "connecting to \(databaseDescription) on \(host):\(port)"
      )
    }
    var other = self
    other.server = Server(
      host: host,
      port: port,
      startOptions: [self.startOptions, startOptions].compactMap(\.self).joined(separator: " ")
    )
    other.namesSeveralHosts = false
    other.description = "\(databaseDescription) on \(host):\(port)"
    return other
  }

  /// Another database of the same server, with the same login.
  public func database(named name: String) -> ConnectionTarget {
    var other = self
    other.databaseName = name
    other.description = "database \(name), otherwise as \(description)"
    return other
  }

  /// Why the string, though libpq could parse it, was not read as it was meant.
  ///
  /// A password with an unescaped `@`, `/` or `:` ends up in host, port or database name, where libpq and the server
  /// would print it; so does a whole connection string given as the database name.
  private static func misreading(_ connectionString: String, _ values: [String: String]) -> String? {
    // By bytes: an @ with a combining mark behind it is no "@" to Swift, and still one to libpq.
    func holds(_ text: some StringProtocol, _ byte: Unicode.Scalar) -> Bool { text.unicodeScalars.contains(byte) }
    if [values["host"], values["hostaddr"]].contains(where: { $0.map { holds($0, "@") } == true }) {
      return "the host holds an @: write an @ inside the password as %40"
    }
    // The server, or the resolver, would repeat such a value. An = alone may well be part of a role's name.
    let others = values.filter { !["password", "sslpassword"].contains($0.key) }
    if others.values.contains(where: { $0.contains(/,\s*(ssl)?password\s*=/.ignoresCase()) }) {
      return "a password stands in the value of another parameter: part parameters by blanks"
    }
    if values["port"]?.utf8.allSatisfy({ (48...57).contains($0) || $0 == 44 }) == false {
      return "the port is not a number: write user:password@host, and a / inside the password as %2F"
    }
    if let database = values["dbname"], database.contains("://") || holds(database, "=") {
      return "the database name is a connection string itself"
    }
    guard let scheme = connectionString.prefixMatch(of: /postgres(ql)?:\/\//) else { return nil }
    let path = connectionString[scheme.range.upperBound...].unicodeScalars.drop { $0 != "/" }.prefix { $0 != "?" }
    return path.contains("@")
      ? "the database name holds an @: write a / inside the password as %2F, and an @ as %40" : nil
  }

  private static func malformed(_ reason: String) -> PostgresError {
    PostgresError(
      .connecting,
      sqlState: nil,
      message: "\(reason) (the string is not shown, since it may hold a password)",
      operation: "reading the connection string"
    )
  }
}
