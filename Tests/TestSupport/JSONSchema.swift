import Foundation

/// The part of JSON Schema (<https://json-schema.org>) that the schema of the command's output uses.
public struct JSONSchema: Sendable {
  private let root: JSONValue

  /// Reads a schema.
  public init(text: String) throws {
    root = try JSONValue(text: text)
  }

  /// The names of its definitions.
  public var definitions: Set<String> { root["$defs"].keys }

  /// What of a value is not as a definition has it, each with its place; nothing if all is right.
  public func faults(_ value: JSONValue, definition: String) -> [String] {
    faults(value, root["$defs"][definition], "$")
  }

  private func faults(_ value: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
    if let reference = schema["$ref"].text {
      return faults(value, root["$defs"][String(reference.dropFirst("#/$defs/".count))], place)
    }
    guard case .object = schema else { return ["\(place): there is no schema for it"] }
    var faults = schema["allOf"].elements.flatMap { self.faults(value, $0, place) }
    let types = schema["type"].text.map { [$0] } ?? schema["type"].elements.compactMap(\.text)
    if !types.isEmpty, !types.contains(where: { isOf($0, value) }) { faults.append("\(place): is no \(types)") }
    if case .array(let choices) = schema["enum"], !choices.contains(value) {
      faults.append("\(place): none of the choices")
    }
    if schema.keys.contains("const"), schema["const"] != value { faults.append("\(place): another constant") }
    for name in schema["required"].elements.compactMap(\.text) where !value.keys.contains(name) {
      faults.append("\(place).\(name): is missing")
    }
    for name in value.keys {
      let member = schema["properties"][name] == .null ? schema["additionalProperties"] : schema["properties"][name]
      if member != .null { faults += self.faults(value[name], member, "\(place).\(name)") }
    }
    if schema["items"] != .null {
      for (index, element) in value.elements.enumerated() {
        faults += self.faults(element, schema["items"], "\(place)[\(index)]")
      }
    }
    return faults
  }

  private func isOf(_ type: String, _ value: JSONValue) -> Bool {
    switch (type, value) {
    case ("object", .object), ("array", .array), ("string", .string), ("boolean", .bool), ("null", .null),
      ("number", .number):
      true
    case ("integer", .number(let number)): number.rounded() == number
    default: false
    }
  }
}
