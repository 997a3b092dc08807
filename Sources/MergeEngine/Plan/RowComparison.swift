import BinaryCopy
import Libpq

/// How a staging row and a production row of the same key and version are compared, column by column.
///
/// Both rows lie in the wire order of ``TablePlan``. Equal bytes are equal values for every type. Of different bytes the
/// client knows what they mean for nearly all types; for the few others the row is `undecided` and ``PairComparison``
/// has the server compare the values.
///
/// Keys are equal already, insert-only columns are meant to differ, and the version is what was compared before.
struct RowComparison: Sendable {
  /// A column that is compared.
  struct Column: Sendable {
    /// Where it stands in ``TablePlan/columns``.
    let index: Int
    let method: Method
    /// How the server tells equal values; nil if it can't.
    let equality: EqualityOperators.Equality?
  }

  /// What different bytes mean.
  enum Method: Sendable {
    /// Different values: the type's equality is that of its bytes, or it has none (json, xml, point) and its bytes are
    /// its text.
    case bytes
    /// numeric: 1.0 equals 1.00.
    case numeric
    /// float4, float8: -0 equals 0.
    case float
    /// char(n): spaces at the end do not count.
    case padded
    /// Only the server knows: citext, interval, jsonb, arrays, ranges, non-deterministic collations, …
    case server
  }

  /// What became of a comparison.
  enum Likeness: Sendable {
    case equal
    case different
    /// Equal but for columns whose bytes differ and that only the server can compare.
    case undecided
  }

  /// The compared columns, in wire order.
  let columns: [Column]
  /// By place in ``TablePlan/columns``; nil for columns that are not compared.
  private let methods: [Method?]

  init(_ plan: TablePlan, _ operators: EqualityOperators) {
    var methods = [Method?](repeating: nil, count: plan.columns.count)
    columns = plan.columns.indices.dropFirst(plan.keyColumnCount).compactMap { index in
      let column = plan.columns[index]
      guard !column.isInsertOnly, index != plan.versionIndex else { return nil }
      let equality = operators.equality(of: column.name, in: plan.productionOid)
      let method = Method(column, equality)
      methods[index] = method
      return Column(index: index, method: method, equality: equality)
    }
    self.methods = methods
  }

  /// Of rows that have a digest behind key and version.
  init(digestAt index: Int) {
    columns = [Column(index: index, method: .bytes, equality: nil)]
    methods = [Method?](repeating: nil, count: index) + [.bytes]
  }

  /// Compares two rows.
  ///
  /// - Parameters:
  ///   - left: the place of the first column's length in `leftBytes`, and the end of the row's last value.
  ///   - right: the same in `rightBytes`.
  /// - Complexity: O(bytes); no allocation.
  func likeness(
    _ left: Range<Int>,
    in leftBytes: RawSpan,
    _ right: Range<Int>,
    in rightBytes: RawSpan
  ) throws(BinaryCopyError) -> Likeness {
    if leftBytes.equals(left, to: rightBytes, at: right) { return .equal }
    var likeness = Likeness.equal
    var leftCursor = CopyCursor(offset: left.lowerBound)
    var rightCursor = CopyCursor(offset: right.lowerBound)
    for index in methods.indices {
      let leftField = try leftCursor.readField(in: leftBytes)
      let rightField = try rightCursor.readField(in: rightBytes)
      guard let method = methods[index] else { continue }
      switch try method.likeness(leftField, in: leftBytes, rightField, in: rightBytes) {
      case .equal: break
      case .different: return .different
      case .undecided: likeness = .undecided
      }
    }
    return likeness
  }

  /// The fields of every compared column that are not known to be equal, with what is known of them.
  func unequalFields(
    _ left: Range<Int>,
    in leftBytes: RawSpan,
    _ right: Range<Int>,
    in rightBytes: RawSpan
  ) throws(BinaryCopyError) -> [(column: Column, left: FieldRange, right: FieldRange, likeness: Likeness)] {
    var fields: [(column: Column, left: FieldRange, right: FieldRange, likeness: Likeness)] = []
    var leftCursor = CopyCursor(offset: left.lowerBound)
    var rightCursor = CopyCursor(offset: right.lowerBound)
    var next = 0
    for index in methods.indices where next < columns.count {
      let leftField = try leftCursor.readField(in: leftBytes)
      let rightField = try rightCursor.readField(in: rightBytes)
      guard columns[next].index == index else { continue }
      let likeness = try columns[next].method.likeness(leftField, in: leftBytes, rightField, in: rightBytes)
      if likeness != .equal { fields.append((columns[next], leftField, rightField, likeness)) }
      next += 1
    }
    return fields
  }
}

extension RowComparison.Method {
  init(_ column: TablePlan.Column, _ equality: EqualityOperators.Equality?) {
    let type = column.baseType
    guard equality != nil else {
      self = .bytes
      return
    }
    guard column.travel == .binary else {
      self = .server
      return
    }
    switch type.oid {
    case _ where type.equalityIsBytewise: self = .bytes
    // bit, varbit, timetz, money: their equality is that of their bytes too, though keys of them are left to the server.
    case TypeOID.bit, TypeOID.varbit, TypeOID.timetz, TypeOID.money: self = .bytes
    case TypeOID.numeric: self = .numeric
    case TypeOID.float4, TypeOID.float8: self = .float
    case TypeOID.bpchar where type.nonDeterministicCollation == nil: self = .padded
    default: self = .server
    }
  }

  /// Compares two values whose bytes may differ.
  func likeness(
    _ left: FieldRange,
    in leftBytes: RawSpan,
    _ right: FieldRange,
    in rightBytes: RawSpan
  ) throws(BinaryCopyError) -> RowComparison.Likeness {
    if left.byteCount == right.byteCount, leftBytes.equals(left.bytes, to: rightBytes, at: right.bytes) {
      return .equal
    }
    guard !left.isNull, !right.isNull else { return .different }
    switch self {
    case .bytes: return .different
    case .server: return .undecided
    case .numeric:
      return try NumericOrder.compare(left, in: leftBytes, right, in: rightBytes) == 0 ? .equal : .different
    case .float:
      let leftValue = try Self.float(left, leftBytes)
      let rightValue = try Self.float(right, rightBytes)
      // The server takes all NaNs for equal.
      return leftValue == rightValue || (leftValue.isNaN && rightValue.isNaN) ? .equal : .different
    case .padded:
      let leftEnd = try Self.endBeforeSpaces(left, leftBytes)
      let rightEnd = try Self.endBeforeSpaces(right, rightBytes)
      return leftBytes.equals(left.offset..<leftEnd, to: rightBytes, at: right.offset..<rightEnd) ? .equal : .different
    }
  }

  private static func float(_ field: FieldRange, _ bytes: RawSpan) throws(BinaryCopyError) -> Double {
    if field.byteCount == 4 { return Double(Float(bitPattern: try bytes.bigEndian(at: field.offset))) }
    guard field.byteCount == 8 else {
      throw .wrongWidth(found: field.byteCount, expected: 8, offset: field.offset)
    }
    return Double(bitPattern: try bytes.bigEndian(at: field.offset))
  }

  private static func endBeforeSpaces(_ field: FieldRange, _ bytes: RawSpan) throws(BinaryCopyError) -> Int {
    var end = field.bytes.upperBound
    while end > field.offset, try bytes.bigEndian(at: end - 1, as: UInt8.self) == 0x20 { end -= 1 }
    return end
  }
}
