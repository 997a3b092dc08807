/// Encodes any `Encodable` value to a ``JSONNode`` whose members stand in the order in which they were encoded.
///
/// With a synthesized `encode(to:)` that is the order of the `CodingKeys`, so the type's declaration is the document's order.
/// `JSONEncoder` offers only an alphabetical order or none.
public struct OrderedJSONEncoder: Sendable {
  /// Makes an encoder.
  public init() {}

  /// The value as a node.
  ///
  /// - Throws: what the value's own `encode(to:)` throws; `EncodingError` for a number that JSON does not have.
  public func node(_ value: some Encodable) throws -> JSONNode {
    let slot = Slot()
    try value.encode(to: SlotEncoder(slot: slot, codingPath: []))
    return slot.node
  }

  /// The value as indented text with a newline at the end: what a document file holds.
  public func document(_ value: some Encodable) throws -> String {
    JSONWriter().text(try node(value)) + "\n"
  }
}

/// Where a value is put together while its containers are still open.
private final class Slot {
  enum Content {
    case empty
    case leaf(JSONNode.Value)
    case array([Slot])
    case object([(name: String, slot: Slot)])
  }

  var content = Content.empty

  var node: JSONNode {
    switch content {
    case .empty: JSONNode(.null)
    case .leaf(let value): JSONNode(value)
    case .array(let slots): JSONNode(.array(slots.map(\.node)))
    case .object(let members): JSONNode(.object(members.map { JSONNode.Member(name: $0.name, node: $0.slot.node) }))
    }
  }

  func beginObject() {
    if case .object = content { return }
    content = .object([])
  }

  func beginArray() {
    if case .array = content { return }
    content = .array([])
  }

  func member(_ name: String) -> Slot {
    guard case .object(var members) = content else { preconditionFailure("member of something that is no object") }
    let slot = Slot()
    members.append((name, slot))
    content = .object(members)
    return slot
  }

  func element() -> Slot {
    guard case .array(var slots) = content else { preconditionFailure("element of something that is no array") }
    let slot = Slot()
    slots.append(slot)
    content = .array(slots)
    return slot
  }

  var count: Int {
    if case .array(let slots) = content { slots.count } else { 0 }
  }
}

private struct SlotEncoder: Encoder {
  let slot: Slot
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    slot.beginObject()
    return KeyedEncodingContainer(KeyedSlots<Key>(slot: slot, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    slot.beginArray()
    return UnkeyedSlots(slot: slot, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { SingleSlot(slot: slot, codingPath: codingPath) }
}

private struct KeyedSlots<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let slot: Slot
  let codingPath: [any CodingKey]

  private func encoder(_ key: any CodingKey) -> SlotEncoder {
    SlotEncoder(slot: slot.member(key.stringValue), codingPath: codingPath + [key])
  }

  func encodeNil(forKey key: Key) throws { slot.member(key.stringValue).content = .leaf(.null) }

  func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try value.encode(to: encoder(key)) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy keyType: Nested.Type,
    forKey key: Key
  ) -> KeyedEncodingContainer<Nested> { encoder(key).container(keyedBy: keyType) }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }

  func superEncoder() -> any Encoder { SlotEncoder(slot: slot.member("super"), codingPath: codingPath) }

  func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

private struct UnkeyedSlots: UnkeyedEncodingContainer {
  let slot: Slot
  let codingPath: [any CodingKey]
  var count: Int { slot.count }

  private func encoder() -> SlotEncoder { SlotEncoder(slot: slot.element(), codingPath: codingPath) }

  func encodeNil() throws { slot.element().content = .leaf(.null) }

  func encode<T: Encodable>(_ value: T) throws { try value.encode(to: encoder()) }

  func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type) -> KeyedEncodingContainer<Nested> {
    encoder().container(keyedBy: keyType)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }

  func superEncoder() -> any Encoder { encoder() }
}

private struct SingleSlot: SingleValueEncodingContainer {
  let slot: Slot
  let codingPath: [any CodingKey]

  func encodeNil() throws { slot.content = .leaf(.null) }

  func encode<T: Encodable>(_ value: T) throws {
    switch value {
    case let flag as Bool: slot.content = .leaf(.bool(flag))
    case let text as String: slot.content = .leaf(.string(text))
    case let integer as any BinaryInteger: slot.content = .leaf(.number("\(integer)"))
    case let number as Double: slot.content = .leaf(.number(try spelling(number)))
    case let number as Float: slot.content = .leaf(.number(try spelling(Double(number))))
    default: try value.encode(to: SlotEncoder(slot: slot, codingPath: codingPath))
    }
  }

  private func spelling(_ number: Double) throws -> String {
    guard number.isFinite else {
      let context = EncodingError.Context(codingPath: codingPath, debugDescription: "JSON has no \(number)")
      throw EncodingError.invalidValue(number, context)
    }
    return "\(number)"
  }
}
