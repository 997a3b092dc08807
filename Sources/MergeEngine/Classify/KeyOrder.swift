import BinaryCopy
import Libpq

/// Brings a batch into key order and leaves one candidate per key.
///
/// Production is then visited from its lowest to its highest key, which keeps its pages in memory and makes all
/// workers, and a CDC that applies in key order, take row locks in one order. The order is by bytes: it need not be
/// the server's order, only the same for everyone.
struct KeyOrder {
  private struct Entry {
    let prefix: UInt64
    let row: UInt32
  }

  private var entries: [Entry] = []

  /// Fills ``StagedBatch/candidates`` and gives the other rows of a key the verdict `duplicate`.
  ///
  /// The newest row of a key stays; of equally new ones the last in staging, which arrived last. Where equal keys
  /// may differ in bytes (``TablePlan/keyEqualityIsBytewise``) all rows stay candidates until the probe knows.
  /// A key with a NULL in it equals none, as in SQL: each such row goes on, for the server to refuse it.
  ///
  /// - Parameter onlyDuplicates: only the rows that were duplicates so far take part: the ones that stood in their way
  ///   were refused.
  mutating func arrange(
    _ batch: inout StagedBatch,
    _ plan: TablePlan,
    onlyDuplicates: Bool = false
  ) throws(BinaryCopyError) {
    let layout = KeyLayout(plan)
    try sort(batch, layout, onlyDuplicates: onlyDuplicates)
    batch.candidates.removeAll(keepingCapacity: true)
    guard plan.keyEqualityIsBytewise else {
      batch.candidates = entries.map(\.row)
      return
    }
    var previousPrefix: UInt64?
    for entry in entries {
      defer { previousPrefix = entry.prefix }
      guard entry.prefix == previousPrefix, let previous = batch.candidates.last,
        try layout.areEqual(previous, entry.row, of: batch)
      else {
        batch.candidates.append(entry.row)
        continue
      }
      if try batch.compareVersions(entry.row, previous, plan.versionType) >= 0 {
        batch.candidates[batch.candidates.count - 1] = entry.row
        batch.setDuplicate(previous, of: entry.row)
      } else {
        batch.setDuplicate(entry.row, of: previous)
      }
    }
  }

  private mutating func sort(
    _ batch: StagedBatch,
    _ layout: KeyLayout,
    onlyDuplicates: Bool
  ) throws(BinaryCopyError) {
    let bytes = batch.bytes.rawSpan
    entries.removeAll(keepingCapacity: true)
    // A load usually leaves its rows in key order.
    var isInOrder = true
    var previousPrefix: UInt64?
    for index in batch.rows.indices where !onlyDuplicates || batch.rows[index].verdict == .duplicate {
      let prefix = try layout.prefix(batch.rows[index], bytes)
      if let previousPrefix, previousPrefix >= prefix { isInOrder = false }
      previousPrefix = prefix
      entries.append(Entry(prefix: prefix, row: UInt32(index)))
    }
    guard !isInOrder else { return }
    guard !layout.prefixIsWholeKey else {
      entries.sort { left, right in
        guard left.prefix == right.prefix else { return left.prefix < right.prefix }
        // NULL has the prefix of the lowest number and must not stand among its duplicates.
        let order =
          left.prefix == 0 ? layout.compareBytes(batch.rows[Int(left.row)], batch.rows[Int(right.row)], in: bytes) : 0
        return order != 0 ? order < 0 : left.row < right.row
      }
      return
    }
    entries.sort { left, right in
      guard left.prefix == right.prefix else { return left.prefix < right.prefix }
      let order = layout.compareBytes(batch.rows[Int(left.row)], batch.rows[Int(right.row)], in: bytes)
      return order != 0 ? order < 0 : left.row < right.row
    }
  }
}

/// How a key becomes a number that sorts.
struct KeyLayout {
  private struct Part {
    let isSigned: Bool
    let isFixedWidth: Bool
  }

  private let parts: [Part]
  /// The prefix alone decides: one key column of eight bytes at most.
  let prefixIsWholeKey: Bool
  private let isSignedInteger: Bool

  init(_ plan: TablePlan) {
    parts = plan.keyColumns.map { column in
      let isBinary = column.travel == .binary
      return Part(
        isSigned: isBinary && TypeOID.signedIntegers.contains(column.baseType.oid),
        isFixedWidth: isBinary && TypeOID.shortAndFixed.union([TypeOID.uuid]).contains(column.baseType.oid)
      )
    }
    isSignedInteger = parts.count == 1 && parts[0].isSigned
    prefixIsWholeKey =
      parts.count == 1 && parts[0].isFixedWidth && plan.keyColumns.first?.baseType.oid != TypeOID.uuid
  }

  /// The key's first eight bytes as a number, signs turned so that negative values come first.
  func prefix(_ row: StagedRow, _ bytes: RawSpan) throws(BinaryCopyError) -> UInt64 {
    let start = CopyCursor(offset: row.fields.lowerBound)
    var cursor = start
    if prefixIsWholeKey {
      let field = try cursor.readField(in: bytes)
      let sign: UInt64 = isSignedInteger ? 1 << 63 : 0
      // The usual keys, by one load each.
      if field.byteCount == 8 { return try bytes.bigEndian(at: field.offset, as: UInt64.self) ^ sign }
      if field.byteCount == 4 { return UInt64(try bytes.bigEndian(at: field.offset, as: UInt32.self)) << 32 ^ sign }
      cursor = start
    }
    var prefix: UInt64 = 0
    var room = 64
    for part in parts {
      let field = try cursor.readField(in: bytes)
      for index in 0..<min(max(field.byteCount, 0), room / 8) {
        var byte: UInt8 = try bytes.bigEndian(at: field.offset + index)
        if index == 0 && part.isSigned { byte ^= 0x80 }
        room -= 8
        prefix |= UInt64(byte) << UInt64(room)
      }
      // What follows a value of varying length has no fixed place in the number.
      guard part.isFixedWidth, room > 0 else { break }
    }
    return prefix
  }

  /// Compares the keys' fields byte by byte, lengths included.
  func compareBytes(_ left: StagedRow, _ right: StagedRow, in bytes: RawSpan) -> Int {
    let leftKey = keyRange(left, bytes)
    let rightKey = keyRange(right, bytes)
    return unsafe bytes.withUnsafeBytes { buffer in
      let common = min(leftKey.count, rightKey.count)
      for index in 0..<common {
        let leftByte = unsafe buffer[leftKey.lowerBound + index]
        let rightByte = unsafe buffer[rightKey.lowerBound + index]
        if leftByte != rightByte { return Int(leftByte) - Int(rightByte) }
      }
      return leftKey.count - rightKey.count
    }
  }

  /// Whether both rows have the same key; a key with a NULL in it is nobody's.
  func areEqual(_ left: UInt32, _ right: UInt32, of batch: StagedBatch) throws(BinaryCopyError) -> Bool {
    let bytes = batch.bytes.rawSpan
    guard compareBytes(batch.rows[Int(left)], batch.rows[Int(right)], in: bytes) == 0 else { return false }
    var cursor = CopyCursor(offset: batch.rows[Int(left)].fields.lowerBound)
    for _ in parts.indices where try cursor.readField(in: bytes).isNull { return false }
    return true
  }

  private func keyRange(_ row: StagedRow, _ bytes: RawSpan) -> Range<Int> {
    var cursor = CopyCursor(offset: row.fields.lowerBound)
    // The rows were walked once when the batch was indexed: their lengths hold.
    guard (try? cursor.skipFields(parts.count, in: bytes)) != nil else { preconditionFailure("unindexed row") }
    return row.fields.lowerBound..<cursor.offset
  }
}
