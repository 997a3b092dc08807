import CLibpq

/// Where to connect to: a libpq URI or keyword string, or nothing, which leaves it to libpq's own environment.
///
/// The string may hold a password, so the type has no description that shows it.
/// Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>
public struct ConnectionTarget: Sendable, CustomStringConvertible, CustomReflectable {
  let connectionString: String?

  /// The server and database without anything secret, as `database shop on db.example:5432`.
  public let description: String

  /// Whether the string itself holds a password.
  public let holdsPassword: Bool

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
      description = "the database of libpq's environment"
      holdsPassword = false
      return
    }
    var parserMessage: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(connectionString, &parserMessage) else {
      PQfreemem(parserMessage)
      throw Self.malformed("it is neither a URI postgresql://user@host/database nor keywords like host=… dbname=…")
    }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    // A password with an unescaped @ ends up in the host, and libpq would print it there.
    guard values["host"]?.contains("@") != true else {
      throw Self.malformed("the host holds an @: write an @ inside the password as %40")
    }
    holdsPassword = values["password"] != nil
    let database = values["dbname"].map { "database \($0)" } ?? "the default database"
    let host = values["host"] ?? values["hostaddr"] ?? values["service"].map { "service \($0)" } ?? "the default host"
    description = database + " on " + host + (values["port"].map { ":" + $0 } ?? "")
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
