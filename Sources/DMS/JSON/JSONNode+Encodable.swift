import Foundation

/// Any encoder's form of a node; the order of members is the encoder's affair.
extension JSONNode: Encodable {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// Writes the value; numbers in the encoder's own spelling.
  public func encode(to encoder: any Encoder) throws {
    switch value {
    case .array(let elements):
      var container = encoder.unkeyedContainer()
      for element in elements { try container.encode(element) }
    case .object(let members):
      var container = encoder.container(keyedBy: Key.self)
      for member in members { try container.encode(member.node, forKey: Key(stringValue: member.name)) }
    case .null: try scalar(encoder) { try $0.encodeNil() }
    case .bool(let value): try scalar(encoder) { try $0.encode(value) }
    case .string(let value): try scalar(encoder) { try $0.encode(value) }
    case .number(let text):
      try scalar(encoder) { container in
        if let whole = Int(text) {
          try container.encode(whole)
        } else {
          try container.encode(Decimal(string: text) ?? 0)
        }
      }
    }
  }

  private func scalar(_ encoder: any Encoder, _ encode: (inout any SingleValueEncodingContainer) throws -> Void) throws
  {
    var container = encoder.singleValueContainer()
    try encode(&container)
  }
}
