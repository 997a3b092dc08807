/// Builds binary COPY data in memory, to be sent in pieces.
///
/// The format is drawn at ``CopyCursor``.
public struct CopyWriter: Sendable {
  /// `PGCOPY\n\377\r\n\0`
  public static let signature: [UInt8] = [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00]

  /// What was written since the last ``removeAll()``.
  public private(set) var bytes: [UInt8] = []

  /// An empty writer.
  ///
  /// - Parameter capacity: bytes to reserve; more are taken when needed, and kept.
  public init(capacity: Int = 0) {
    bytes.reserveCapacity(capacity)
  }

  /// Forgets the bytes and keeps their memory.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
  }

  /// Writes the header that stands before the first row.
  public mutating func writeHeader() {
    bytes += Self.signature
    bytes.append(bigEndian: UInt32(0))
    bytes.append(bigEndian: UInt32(0))
  }

  /// Writes the mark behind the last row.
  public mutating func writeTrailer() {
    bytes.append(bigEndian: Int16(-1))
  }

  /// Begins a row; exactly `fieldCount` fields must follow.
  ///
  /// - Precondition: at most 32,767 fields; a table has at most 1,600 columns.
  public mutating func beginRow(fieldCount: Int) {
    bytes.append(bigEndian: Int16(fieldCount))
  }

  /// Writes a value with its length.
  ///
  /// - Precondition: less than 2 GiB; the server takes 1 GiB.
  public mutating func writeField(_ value: some Collection<UInt8>) {
    bytes.append(bigEndian: Int32(value.count))
    bytes += value
  }

  /// Writes SQL NULL.
  public mutating func writeNull() {
    bytes.append(bigEndian: Int32(-1))
  }

  /// Writes a whole row whose fields, lengths included, stand in `source`.
  ///
  /// - Precondition: `fields` holds exactly `fieldCount` well-formed fields, as a ``CopyCursor`` walked over them.
  public mutating func writeRow(fieldCount: Int, fields: Range<Int>, of source: RawSpan) {
    bytes.append(bigEndian: Int16(fieldCount))
    bytes.append(fields, of: source)
  }

  /// Writes a whole row as ``writeRow(fieldCount:fields:of:)`` does, with a bigint behind its last field.
  public mutating func writeRow(fieldCount: Int, fields: Range<Int>, of source: RawSpan, followedBy value: Int64) {
    bytes.append(bigEndian: Int16(fieldCount + 1))
    bytes.append(fields, of: source)
    bytes.append(bigEndian: Int32(8))
    bytes.append(bigEndian: value)
  }
}
