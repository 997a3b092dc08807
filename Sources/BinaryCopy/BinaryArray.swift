/// Builds the binary form of a one-dimensional array out of fields that are there already.
///
/// ```
/// Int32 dimensions (0 or 1) | Int32 has nulls | UInt32 element type | Int32 count | Int32 lower bound | element ...
/// element   Int32 byte count, -1 for NULL | value
/// ```
///
/// An element looks like a field of a COPY row, so a key travels from row to array as one copied piece.
/// Format: `array_send` in PostgreSQL's `src/backend/utils/adt/arrayfuncs.c`.
public struct BinaryArrayWriter: Sendable {
  /// The array so far; complete after ``finish()``.
  public private(set) var bytes: [UInt8] = []
  private var count: Int32 = 0
  private var hasNull = false
  private let elementType: UInt32

  /// An empty array of a type's oid.
  public init(elementType: UInt32) {
    self.elementType = elementType
    removeAll()
  }

  /// Starts over, keeping the memory.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(bigEndian: Int32(1))
    bytes.append(bigEndian: Int32(0))
    bytes.append(bigEndian: elementType)
    bytes.append(bigEndian: Int32(0))
    bytes.append(bigEndian: Int32(1))
    count = 0
    hasNull = false
  }

  /// Appends an element from a buffer where it stands behind its length.
  ///
  /// - Precondition: `field` was read from `source`.
  public mutating func append(_ field: FieldRange, of source: RawSpan) {
    bytes.append(field.bytesWithLength, of: source)
    hasNull = hasNull || field.isNull
    count += 1
  }

  /// Appends an element whose bytes stand alone.
  ///
  /// - Precondition: less than 2 GiB.
  public mutating func append(_ value: Range<Int>, of source: RawSpan) {
    bytes.append(bigEndian: Int32(value.count))
    bytes.append(value, of: source)
    count += 1
  }

  /// Appends NULL.
  public mutating func appendNull() {
    bytes.append(bigEndian: Int32(-1))
    hasNull = true
    count += 1
  }

  /// Appends an element of type tid: a row's physical address.
  public mutating func appendTID(block: UInt32, offset: UInt16) {
    bytes.append(bigEndian: Int32(6))
    bytes.append(bigEndian: block)
    bytes.append(bigEndian: offset)
    count += 1
  }

  /// Fills in what is known only at the end; the next array begins with ``removeAll()``.
  public mutating func finish() {
    // An array without elements has no dimension.
    if count == 0 { bytes.removeSubrange(12...) }
    bytes.overwrite(bigEndian: Int32(count == 0 ? 0 : 1), at: 0)
    bytes.overwrite(bigEndian: Int32(hasNull ? 1 : 0), at: 4)
    if count > 0 { bytes.overwrite(bigEndian: count, at: 12) }
  }
}

/// Walks over the elements of a binary array; the layout is drawn at ``BinaryArrayWriter``.
public struct BinaryArrayCursor: Sendable {
  /// How many elements the array has.
  public let count: Int
  @usableFromInline
  var cursor: CopyCursor

  /// Reads the array's header.
  ///
  /// - Parameters:
  ///   - bytes: the array alone, without a length in front.
  ///   - offset: where the array begins in `bytes`.
  /// - Throws: ``BinaryCopyError`` when the array is cut off or has more than one dimension.
  public init(_ bytes: RawSpan, at offset: Int = 0) throws(BinaryCopyError) {
    let dimensions: Int32 = try bytes.bigEndian(at: offset)
    // The last number of each form of the header is read for its place: behind it the elements begin.
    _ = try bytes.bigEndian(at: offset + 8, as: UInt32.self)
    guard dimensions != 0 else {
      count = 0
      cursor = CopyCursor(offset: offset + 12)
      return
    }
    let elementCount: Int32 = try bytes.bigEndian(at: offset + 12)
    guard dimensions == 1, elementCount >= 0 else { throw .unexpectedArray(offset: offset) }
    _ = try bytes.bigEndian(at: offset + 16, as: Int32.self)
    count = Int(elementCount)
    cursor = CopyCursor(offset: offset + 20)
  }

  /// The next element's place.
  ///
  /// - Precondition: called at most ``count`` times; past the end it throws, as the bytes end there.
  @inlinable
  public mutating func next(in bytes: RawSpan) throws(BinaryCopyError) -> FieldRange {
    try cursor.readField(in: bytes)
  }
}
