/// What can be wrong with bytes that should be in binary COPY form, or in the binary form of a type.
public enum BinaryCopyError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The first bytes are not `PGCOPY\n\377\r\n\0`.
  case wrongSignature
  /// A flag of the critical half of the header's flags is set that this reader does not know.
  case unknownCriticalFlags(UInt32)
  /// A length or count points past the last byte.
  case truncated(offset: Int)
  /// A length below -1.
  case negativeLength(Int, offset: Int)
  /// A row has another number of fields than its table.
  case fieldCount(found: Int, expected: Int, offset: Int)
  /// A value's length does not fit its type.
  case wrongWidth(found: Int, expected: Int, offset: Int)
  /// Something follows the mark behind the last row.
  case bytesBehindEnd(offset: Int)
  /// An array of more than one dimension, or with a count below 0.
  case unexpectedArray(offset: Int)

  /// One sentence with the offset in bytes.
  public var description: String {
    switch self {
    case .wrongSignature: "the data does not begin with the binary COPY signature"
    case .unknownCriticalFlags(let flags): "the binary COPY header has unknown critical flags \(flags)"
    case .truncated(let offset): "the data ends too early, at byte \(offset)"
    case .negativeLength(let length, let offset): "a field has the impossible length \(length), at byte \(offset)"
    case .fieldCount(let found, let expected, let offset):
      "a row has \(found) fields instead of \(expected), at byte \(offset)"
    case .wrongWidth(let found, let expected, let offset):
      "a value is \(found) bytes long instead of \(expected), at byte \(offset)"
    case .bytesBehindEnd(let offset): "something follows the end of the data, at byte \(offset)"
    case .unexpectedArray(let offset): "an array is not one-dimensional, at byte \(offset)"
    }
  }
}
