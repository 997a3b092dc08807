import Foundation

/// A JSON value to look into without a type for every form.
enum JSONValue: Decodable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(text: String) throws {
    self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
  }

  init(from decoder: any Decoder) throws {
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

  /// The value of a key; null when there is none or this is no object.
  subscript(key: String) -> JSONValue {
    guard case .object(let object) = self else { return .null }
    return object[key] ?? .null
  }

  var keys: Set<String> {
    guard case .object(let object) = self else { return [] }
    return Set(object.keys)
  }

  var elements: [JSONValue] {
    guard case .array(let array) = self else { return [] }
    return array
  }

  var integer: Int? {
    guard case .number(let number) = self else { return nil }
    return Int(exactly: number)
  }

  var text: String? {
    guard case .string(let string) = self else { return nil }
    return string
  }

  /// The element whose `table` is this one.
  func table(_ name: String) -> JSONValue {
    elements.first { $0["table"].text == name } ?? .null
  }
}
