/// A piece of SQL that can only be put together from fixed text and quoted names.
///
/// String interpolation accepts ``Identifier``, ``QualifiedName``, ``Literal``, integers and other `SQL`. A plain
/// `String` does not compile, so a name out of a catalog or a configuration file has no way into a statement unquoted.
///
/// ```swift
/// let table = QualifiedName(schema: "staging", name: "Größe \"x\"")
/// let sql: SQL = "SELECT count(*) FROM \(table)"
/// ```
///
/// What is fixed means pg_catalog's functions, operators, types and tables, whatever the session's search_path finds first:
/// ``statement`` says so.
public struct SQL: Sendable, Hashable, ExpressibleByStringInterpolation, CustomStringConvertible {
  /// A stretch of the text.
  enum Piece: Sendable, Hashable {
    /// Fixed text, written in the source.
    case fixed(String)
    /// A name, a constant, or SQL that the server wrote: complete in itself, and taken over as it is.
    case foreign(String)

    var text: String {
      switch self {
      case .fixed(let text), .foreign(let text): text
      }
    }
  }

  /// In the text's order, no two fixed ones in a row.
  private(set) var pieces: [Piece]

  /// Fixed text, written in the source.
  public init(stringLiteral value: StaticString) {
    pieces = [.fixed(value.description)]
  }

  /// The assembled pieces of an interpolated literal.
  public init(stringInterpolation: Interpolation) {
    pieces = stringInterpolation.sql.pieces
  }

  fileprivate init(_ pieces: [Piece]) {
    self.pieces = pieces
  }

  /// The text as it was written, for people; the server gets ``statement``.
  public var text: String { pieces.map(\.text).joined() }

  /// The text as it was written, for people.
  public var description: String { text }

  /// The statement as the server gets it: what is pg_catalog's, and stands in fixed text, is named with its schema.
  public var statement: String { CatalogQualifier.statement(self) }

  fileprivate mutating func append(_ piece: Piece) {
    // Tokens may go on from one literal to the next, as in `c\(index)`.
    if case .fixed(let more) = piece, case .fixed(let text) = pieces.last {
      pieces[pieces.count - 1] = .fixed(text + more)
    } else {
      pieces.append(piece)
    }
  }

  fileprivate mutating func append(_ sql: SQL) { for piece in sql.pieces { append(piece) } }

  /// Collects the pieces of an interpolated ``SQL`` literal.
  public struct Interpolation: StringInterpolationProtocol {
    fileprivate var sql = SQL([])

    /// Reserves room for the finished pieces.
    public init(literalCapacity: Int, interpolationCount: Int) {
      sql.pieces.reserveCapacity(2 * interpolationCount + 1)
    }

    /// Fixed text, written in the source.
    public mutating func appendLiteral(_ literal: StaticString) { sql.append(.fixed(literal.description)) }

    /// A name, quoted.
    public mutating func appendInterpolation(_ name: Identifier) { sql.append(.foreign(name.quoted)) }

    /// A name with its schema, both quoted.
    public mutating func appendInterpolation(_ name: QualifiedName) { sql.append(.foreign(name.quoted)) }

    /// A value, quoted as a string constant.
    public mutating func appendInterpolation(_ literal: Literal) { sql.append(.foreign(literal.quoted)) }

    /// A number; a negative one behind a blank, since two minus signs in a row begin a comment.
    public mutating func appendInterpolation(_ number: some BinaryInteger) {
      sql.append(.fixed((number < 0 ? " " : "") + String(number)))
    }

    /// Another piece of SQL.
    public mutating func appendInterpolation(_ sql: SQL) { self.sql.append(sql) }
  }

  /// Both pieces, one after the other.
  public static func + (left: SQL, right: SQL) -> SQL {
    var sum = left
    sum.append(right)
    return sum
  }

  /// Text that the server itself wrote as SQL (`format_type`, `pg_get_expr`), taken over as it is.
  ///
  /// - Parameter text: must come from the server's own deparsing functions, never from a user or a name column.
  public static func uncheckedFromServer(_ text: String) -> SQL { SQL([.foreign(text)]) }
}

extension Sequence<SQL> {
  /// All pieces with `separator` between them.
  public func joined(_ separator: SQL) -> SQL {
    var joined = SQL([])
    var isFirst = true
    for sql in self {
      if !isFirst { joined.append(separator) }
      isFirst = false
      joined.append(sql)
    }
    return joined
  }
}

extension Sequence<Identifier> {
  /// All names, quoted, with `separator` between them.
  public func joined(_ separator: SQL = ", ") -> SQL {
    map { "\($0)" as SQL }.joined(separator)
  }
}
