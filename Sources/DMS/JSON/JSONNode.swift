/// A JSON value that keeps the order of its members, the spelling of its numbers and where it stood.
///
/// DMS documents are read by people in the order in which they were written, and a lint has to say where something stands;
/// a dictionary can do neither.
public struct JSONNode: Sendable {
  /// What the node holds.
  public enum Value: Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number as it was spelt: `10000`, `-1`, `1590524772.505`.
    case number(String)
    /// A string without its quotes and escapes.
    case string(String)
    /// Elements in order.
    case array([JSONNode])
    /// Members in order; a name may occur twice in what others wrote.
    case object([Member])
  }

  /// A name and its value.
  public struct Member: Sendable {
    /// The name without its quotes and escapes.
    public var name: String
    /// Where the name's opening quote stands.
    public var position: TextPosition
    /// The value.
    public var node: JSONNode

    /// Makes a member.
    public init(name: String, position: TextPosition = .none, node: JSONNode) {
      self.name = name
      self.position = position
      self.node = node
    }
  }

  /// What the node holds.
  public var value: Value
  /// Where its first character stands.
  public var position: TextPosition

  /// Makes a node.
  public init(_ value: Value, position: TextPosition = .none) {
    self.value = value
    self.position = position
  }

  /// The members, if this is an object.
  public var members: [Member]? {
    guard case .object(let members) = value else { return nil }
    return members
  }

  /// The elements, if this is an array.
  public var elements: [JSONNode]? {
    guard case .array(let elements) = value else { return nil }
    return elements
  }

  /// The value of the last member of that name, if this is an object that has one: what most readers of JSON take.
  public subscript(name: String) -> JSONNode? {
    members?.last { $0.name == name }?.node
  }

  /// The text, if this is a string.
  public var string: String? {
    guard case .string(let text) = value else { return nil }
    return text
  }

  /// The number, if this is a whole one that fits.
  public var integer: Int? {
    guard case .number(let spelling) = value else { return nil }
    return Int(spelling)
  }

  /// The truth value, if this is one.
  public var bool: Bool? {
    guard case .bool(let flag) = value else { return nil }
    return flag
  }

  /// Whether this is `null`.
  public var isNull: Bool {
    if case .null = value { true } else { false }
  }

  /// What the node is, in words for a message: "a string", "an object", ...
  public var kindInWords: String {
    switch value {
    case .null: "null"
    case .bool: "true or false"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
