import BinaryCopy

/// One staging row of a batch: places in the batch's bytes, and what the client needs of the values.
struct StagedRow {
  /// The tuple's address, packed as in ``TupleRange``.
  var address: UInt64
  /// Where the key begins that production is asked for; its fields follow each other.
  var probeKey: Int
  /// The shared columns' fields, from the key's first length on: to the row's last byte, or of a row that was not read
  /// whole to the version's.
  var fields: Range<Int>
  /// The version: its integer, or for numeric the place of the value.
  var version: StagedVersion
  /// Becomes known at classification.
  var verdict: Verdict
  /// Of a duplicate: the row of its key that was newer, which may itself be a duplicate.
  var newerRow: UInt32 = 0
}

/// A version as it is compared.
enum StagedVersion {
  case null
  case integer(Int64)
  /// Lies in the bytes that it was read from.
  case numeric(FieldRange)
}

/// The staging rows of one batch, as the bytes they came in, and an index over them.
///
/// One worker has one batch and fills it again and again: after the largest batch nothing is allocated any more.
struct StagedBatch {
  /// Binary COPY data, one or several streams after each other.
  var bytes: [UInt8] = []
  private(set) var rows: [StagedRow] = []
  /// Rows in key order, without the ones that lost to a duplicate of the same key: positions in ``rows``.
  var candidates: [UInt32] = []

  /// Forgets the rows and keeps the memory.
  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
    candidates.removeAll(keepingCapacity: true)
  }

  /// Gives up memory that a batch of unusually long rows has left behind.
  mutating func shrink(above byteCount: Int) {
    if bytes.capacity > byteCount { bytes = [] }
  }

  /// Where the refused rows lie in staging.
  var refusedAddresses: [UInt64] { rows.filter { $0.verdict == .error }.map(\.address) }

  var hasDuplicates: Bool { rows.contains { $0.verdict == .duplicate } }

  /// Duplicates that no newer row of their key stands in the way of any more: it was refused.
  var heirs: Set<UInt32> {
    Set(
      rows.indices.filter { rows[$0].verdict == .duplicate && rows[Int(newest(of: $0))].verdict == .error }.map(
        UInt32.init
      )
    )
  }

  /// The row that a duplicate has lost to in the end.
  private func newest(of duplicate: Int) -> UInt32 {
    var newest = rows[duplicate].newerRow
    while rows[Int(newest)].verdict == .duplicate { newest = rows[Int(newest)].newerRow }
    return newest
  }

  /// The addresses of some rows that are carried elsewhere, each with the older rows of its key behind it, newest first. From now on
  /// all of them count as to be written.
  mutating func setApart(_ suspects: Set<UInt32>, by type: VersionType) throws -> [[UInt64]] {
    var older: [UInt32: [UInt32]] = [:]
    for index in rows.indices where rows[index].verdict == .duplicate {
      let newest = newest(of: index)
      if suspects.contains(newest) { older[newest, default: []].append(UInt32(index)) }
    }
    let groups = try suspects.sorted().map { newest -> [UInt32] in
      [newest]
        + (try (older[newest] ?? []).sorted { left, right in
          let order = try compareVersions(left, right, type)
          return order == 0 ? left > right : order > 0
        })
    }
    for row in groups.joined() where rows[Int(row)].verdict == .duplicate { rows[Int(row)].verdict = .insert }
    return groups.map { $0.map { rows[Int($0)].address } }
  }

  mutating func setVerdict(_ verdict: Verdict, row: UInt32) {
    rows[Int(row)].verdict = verdict
  }

  /// A row of the same key is newer, or as new and behind it.
  mutating func setDuplicate(_ row: UInt32, of newer: UInt32) {
    rows[Int(row)].verdict = .duplicate
    rows[Int(row)].newerRow = newer
  }

  /// Whether `left` is newer than (above 0), as new as (0) or older than (below 0) `right`, both positions in ``rows``.
  func compareVersions(_ left: UInt32, _ right: UInt32, _ type: VersionType) throws(BinaryCopyError) -> Int {
    let bytes = bytes.rawSpan
    return try type.compare(rows[Int(left)].version, in: bytes, rows[Int(right)].version, in: bytes)
  }

  /// Indexes what ``bytes`` holds.
  ///
  /// - Parameter columnCount: how many of the plan's columns were read of each row, at least key and version; nil for
  ///   all.
  /// - Complexity: O(columns) a row; allocates only until the largest batch has been seen.
  /// - Throws: ``BinaryCopyError`` when the bytes are not rows of the plan.
  mutating func index(_ plan: TablePlan, columnCount: Int? = nil) throws(BinaryCopyError) {
    let layout = RowLayout(plan, columnCount: columnCount ?? plan.columns.count)
    var rows = rows
    self.rows = []
    defer { self.rows = rows }
    let bytes = bytes.rawSpan
    var cursor = CopyCursor()
    while cursor.offset < bytes.byteCount {
      try cursor.readHeader(in: bytes)
      while let fieldCount = try cursor.beginRow(in: bytes) {
        guard fieldCount == layout.fieldCount else {
          throw .fieldCount(found: fieldCount, expected: layout.fieldCount, offset: cursor.offset)
        }
        rows.append(try layout.readRow(at: &cursor, in: bytes))
      }
    }
  }
}

/// How many fields of what kind a row of the batch has, in the wire order drawn at ``TablePlan``.
private struct RowLayout {
  let fieldCount: Int
  let probeKeyCount: Int
  let versionIndex: Int
  let columnCount: Int
  let versionType: VersionType

  init(_ plan: TablePlan, columnCount: Int) {
    probeKeyCount = plan.sendsProbeKeys ? plan.keyColumnCount : 0
    self.columnCount = columnCount
    fieldCount = 1 + probeKeyCount + columnCount
    versionIndex = plan.versionIndex
    versionType = plan.versionType
  }

  /// A ctid's block and offset, packed as in ``TupleRange``.
  static func readAddress(at cursor: inout CopyCursor, in bytes: RawSpan) throws(BinaryCopyError) -> UInt64 {
    let field = try cursor.readField(in: bytes)
    guard field.byteCount == 6 else {
      throw .wrongWidth(found: field.byteCount, expected: 6, offset: field.offset)
    }
    let block: UInt32 = try bytes.bigEndian(at: field.offset)
    let offset: UInt16 = try bytes.bigEndian(at: field.offset + 4)
    return UInt64(block) << 16 | UInt64(offset)
  }

  func readRow(at cursor: inout CopyCursor, in bytes: RawSpan) throws(BinaryCopyError) -> StagedRow {
    let address = try Self.readAddress(at: &cursor, in: bytes)
    let probeKey = cursor.offset
    try cursor.skipFields(probeKeyCount, in: bytes)
    let start = cursor.offset
    try cursor.skipFields(versionIndex, in: bytes)
    let version = try versionType.read(cursor.readField(in: bytes), in: bytes)
    try cursor.skipFields(columnCount - versionIndex - 1, in: bytes)
    return StagedRow(
      address: address,
      probeKey: probeKey,
      fields: start..<cursor.offset,
      version: version,
      verdict: .unchanged
    )
  }
}

extension VersionType {
  /// Reads a version of this type.
  ///
  /// - Throws: ``BinaryCopyError/wrongWidth(found:expected:offset:)`` when the value is not of the type's width.
  func read(_ field: FieldRange, in bytes: RawSpan) throws(BinaryCopyError) -> StagedVersion {
    guard !field.isNull else { return .null }
    switch self {
    case .numeric:
      return .numeric(field)
    case .integer(let byteCount):
      guard field.byteCount == byteCount else {
        throw .wrongWidth(found: field.byteCount, expected: byteCount, offset: field.offset)
      }
      return try bytes.integer(field).map { .integer($0) } ?? .null
    }
  }

  /// Whether `left` is newer than, as new as or older than `right`.
  ///
  /// NULL is older than every version and as old as NULL.
  /// - Returns: above 0, 0 or below 0.
  func compare(
    _ left: StagedVersion,
    in leftBytes: RawSpan,
    _ right: StagedVersion,
    in rightBytes: RawSpan
  ) throws(BinaryCopyError) -> Int {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left < right ? -1 : left == right ? 0 : 1
    case (.numeric(let left), .numeric(let right)):
      try NumericOrder.compare(left, in: leftBytes, right, in: rightBytes)
    case (.null, .null): 0
    case (.null, _): -1
    default: 1
    }
  }
}
