/// A piece of SQL that can only be put together from fixed text and quoted names.
///
/// String interpolation accepts ``Identifier``, ``QualifiedName``, ``Literal``, integers and other `SQL`. A plain
/// `String` does not compile, so a name out of a catalog or a configuration file has no way into a statement unquoted.
///
/// ```swift
/// let table = QualifiedName(schema: "staging", name: "Größe \"x\"")
/// let sql: SQL = "SELECT count(*) FROM \(table)"
/// ```
public struct SQL: Sendable, Hashable, ExpressibleByStringInterpolation, CustomStringConvertible {
  /// The statement as the server gets it.
  public let text: String

  /// Fixed text, written in the source.
  public init(stringLiteral value: StaticString) {
    text = value.description
  }

  /// The assembled pieces of an interpolated literal.
  public init(stringInterpolation: Interpolation) {
    text = stringInterpolation.text
  }

  fileprivate init(text: String) {
    self.text = text
  }

  /// The statement as the server gets it.
  public var description: String { text }

  /// Collects the pieces of an interpolated ``SQL`` literal.
  public struct Interpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    /// Reserves room for the finished text.
    public init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity + interpolationCount * 16)
    }

    /// Fixed text, written in the source.
    public mutating func appendLiteral(_ literal: StaticString) { text += literal.description }

    /// A name, quoted.
    public mutating func appendInterpolation(_ name: Identifier) { text += name.quoted }

    /// A name with its schema, both quoted.
    public mutating func appendInterpolation(_ name: QualifiedName) { text += name.quoted }

    /// A value, quoted as a string constant.
    public mutating func appendInterpolation(_ literal: Literal) { text += literal.quoted }

    /// A number; a negative one behind a blank, since two minus signs in a row begin a comment.
    public mutating func appendInterpolation(_ number: some BinaryInteger) {
      text += (number < 0 ? " " : "") + String(number)
    }

    /// Another piece of SQL.
    public mutating func appendInterpolation(_ sql: SQL) { text += sql.text }
  }

  /// Both pieces, one after the other.
  public static func + (left: SQL, right: SQL) -> SQL { SQL(text: left.text + right.text) }

  /// Text that the server itself wrote as SQL (`format_type`, `pg_get_expr`), taken over as it is.
  ///
  /// - Parameter text: must come from the server's own deparsing functions, never from a user or a name column.
  public static func uncheckedFromServer(_ text: String) -> SQL { SQL(text: text) }
}

extension Sequence<SQL> {
  /// All pieces with `separator` between them.
  public func joined(_ separator: SQL) -> SQL {
    SQL(text: map(\.text).joined(separator: separator.text))
  }
}

extension Sequence<Identifier> {
  /// All names, quoted, with `separator` between them.
  public func joined(_ separator: SQL = ", ") -> SQL {
    map { "\($0)" as SQL }.joined(separator)
  }
}
