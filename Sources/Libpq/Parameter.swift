/// A value for a `$n` of a statement, in the binary form of its type.
public struct Parameter: Sendable, Hashable {
  let type: UInt32
  let bytes: [UInt8]?

  /// A value in its type's binary form.
  ///
  /// - Parameters:
  ///   - bytes: as the type's receive function wants it, without a length in front; nil for SQL NULL.
  ///   - type: the type's oid.
  public init(binary bytes: [UInt8]?, type: UInt32) {
    self.bytes = bytes
    self.type = type
  }

  /// A text value.
  public static func text(_ value: String?) -> Parameter {
    Parameter(binary: value.map { Array($0.utf8) }, type: TypeOID.text)
  }

  /// A bigint value.
  public static func bigint(_ value: Int?) -> Parameter {
    Parameter(binary: value.map { withUnsafeBytes(of: Int64($0).bigEndian) { Array($0) } }, type: TypeOID.int8)
  }

  /// An integer value.
  public static func integer(_ value: Int32) -> Parameter {
    Parameter(binary: withUnsafeBytes(of: value.bigEndian) { Array($0) }, type: TypeOID.int4)
  }

  /// A boolean value.
  public static func bool(_ value: Bool) -> Parameter {
    Parameter(binary: [value ? 1 : 0], type: TypeOID.bool)
  }

  /// A jsonb value from its text.
  public static func jsonb(_ text: String) -> Parameter {
    // The binary form of jsonb is a version byte, 1, and the text.
    Parameter(binary: [1] + Array(text.utf8), type: TypeOID.jsonb)
  }

  /// A text[] value; nil is a NULL in it.
  public static func textArray(_ values: [String?]) -> Parameter {
    Parameter(
      binary: array(of: TypeOID.text, elements: values.map { $0.map { Array($0.utf8) } }),
      type: TypeOID.textArray
    )
  }

  /// An oid[] value.
  public static func oidArray(_ values: [UInt32]) -> Parameter {
    Parameter(
      binary: array(
        of: TypeOID.oid,
        elements: values.map { value in withUnsafeBytes(of: value.bigEndian) { Array($0) } }
      ),
      type: TypeOID.oidArray
    )
  }

  /// The binary form of a one-dimensional array: dimensions, has-nulls flag, element type, length, lower bound, and
  /// each element behind its length (`array_send` in the server's source).
  private static func array(of type: UInt32, elements: [[UInt8]?]) -> [UInt8] {
    func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    guard !elements.isEmpty else { return bigEndian(0) + bigEndian(0) + bigEndian(type) }
    let hasNulls: UInt32 = elements.contains { $0 == nil } ? 1 : 0
    let header = bigEndian(1) + bigEndian(hasNulls) + bigEndian(type) + bigEndian(UInt32(elements.count)) + bigEndian(1)
    // NULL has the length -1.
    return header + elements.flatMap { $0.map { bigEndian(UInt32($0.count)) + $0 } ?? bigEndian(.max) }
  }
}
