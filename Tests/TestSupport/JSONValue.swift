import Foundation

/// A JSON value to look into, and to change, without a type for every form.
public enum JSONValue: Codable, Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Reads a text.
  public init(text: String) throws {
    try self.init(data: Data(text.utf8))
  }

  /// Reads bytes.
  public init(data: Data) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: data)
  }

  /// What a value is as JSON.
  public init(encoding value: some Encodable) throws {
    try self.init(data: JSONEncoder().encode(value))
  }

  /// Reads any form.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  /// Writes what it holds.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }

  /// The value of a key; null when there is none or this is no object.
  public subscript(key: String) -> JSONValue {
    get {
      guard case .object(let object) = self else { return .null }
      return object[key] ?? .null
    }
    set {
      guard case .object(var object) = self else { return }
      object[key] = newValue
      self = .object(object)
    }
  }

  /// The keys of an object.
  public var keys: Set<String> {
    guard case .object(let object) = self else { return [] }
    return Set(object.keys)
  }

  /// The elements of an array.
  public var elements: [JSONValue] {
    get {
      guard case .array(let array) = self else { return [] }
      return array
    }
    set { self = .array(newValue) }
  }

  /// A number without a fraction.
  public var integer: Int? {
    guard case .number(let number) = self else { return nil }
    return Int(exactly: number)
  }

  /// A string.
  public var text: String? {
    guard case .string(let string) = self else { return nil }
    return string
  }

  /// The element whose `table` is this one.
  public func table(_ name: String) -> JSONValue {
    elements.first { $0["table"].text == name } ?? .null
  }
}
