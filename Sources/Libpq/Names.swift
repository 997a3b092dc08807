/// The name of a schema, table, column or role.
///
/// Source: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
public struct Identifier: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The name as it stands in the catalog, unquoted.
  public let name: String

  /// A name as it stands in the catalog.
  public init(_ name: String) {
    self.name = name
  }

  /// The name between double quotes, inner quotes doubled. Always quoted: no list of keywords can go out of date.
  public var quoted: String {
    // By code points: to Swift a quote and a combining mark behind it are one Character, which is no quote; to the
    // server the quote would end the name, and what follows would be SQL.
    var text = "\""
    for scalar in name.unicodeScalars {
      if scalar == "\"" { text.unicodeScalars.append(scalar) }
      text.unicodeScalars.append(scalar)
    }
    return text + "\""
  }

  /// The plain name, for people.
  public var description: String { name }

  /// Whether the bytes are the same, as the server has it; to Swift's `String` composed and decomposed letters are too.
  public static func == (left: Identifier, right: Identifier) -> Bool {
    left.name.utf8.elementsEqual(right.name.utf8)
  }

  /// Feeds the bytes, as `==` compares them.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(name.utf8.count)
    for byte in name.utf8 { hasher.combine(byte) }
  }

  /// By Unicode code points, not by the server's collation.
  public static func < (left: Identifier, right: Identifier) -> Bool {
    left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }
}

/// A table, view, type or operator with its schema.
public struct QualifiedName: Sendable, Hashable, CustomStringConvertible {
  /// The schema.
  public let schema: Identifier
  /// The name within the schema.
  public let name: Identifier

  /// A name within a schema, both as they stand in the catalog.
  public init(schema: Identifier, name: Identifier) {
    self.schema = schema
    self.name = name
  }

  /// A name within a schema, both as they stand in the catalog.
  public init(schema: String, name: String) {
    self.init(schema: Identifier(schema), name: Identifier(name))
  }

  /// `"schema"."name"`.
  public var quoted: String { schema.quoted + "." + name.quoted }

  /// `schema.name`, for people.
  public var description: String { "\(schema.name).\(name.name)" }
}

/// A string constant.
public struct Literal: Sendable {
  private let value: String

  /// A value that becomes a string constant of the statement.
  public init(_ value: String) {
    self.value = value
  }

  /// The value as `E'…'` with quotes and backslashes doubled, which means the same whatever `standard_conforming_strings`
  /// and `backslash_quote` say.
  public var quoted: String {
    var text = "E'"
    for character in value.unicodeScalars {
      if character == "'" || character == "\\" { text.unicodeScalars.append(character) }
      text.unicodeScalars.append(character)
    }
    return text + "'"
  }
}
