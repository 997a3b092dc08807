import BinaryCopy
import Libpq

/// Has the server compare pairs of values whose bytes differ and that may be equal all the same.
///
/// Both values are on the client already, so they travel as two arrays, or, for types that have no array type (arrays
/// themselves), pair by pair.
struct PairComparison {
  /// A pair of values of one column, each in the bytes that it was read from.
  struct Pair {
    let left: FieldRange
    let right: FieldRange
  }

  private let plan: TablePlan
  private let connection: Connection

  init(_ plan: TablePlan, _ connection: Connection) {
    self.plan = plan
    self.connection = connection
  }

  /// - Returns: for each pair whether its values are equal.
  /// - Precondition: the column's method is `server`, and no value is NULL.
  func areEqual(
    _ pairs: [Pair],
    of column: RowComparison.Column,
    left leftBytes: RawSpan,
    right rightBytes: RawSpan
  ) throws -> [Bool] {
    guard let equality = column.equality, !pairs.isEmpty else { return pairs.map { _ in false } }
    let planned = plan.columns[column.index]
    guard planned.travel == .text || planned.baseType.arrayOid != 0 else {
      return try pairs.map { try isEqual($0, planned, equality: equality, left: leftBytes, right: rightBytes) }
    }
    let isText = planned.travel == .text
    let cast: SQL = isText ? "::\(planned.baseType.fullName)" : ""
    var lefts = BinaryArrayWriter(elementType: isText ? TypeOID.text : planned.baseType.oid)
    var rights = lefts
    lefts.removeAll()
    rights.removeAll()
    for pair in pairs {
      lefts.append(pair.left, of: leftBytes)
      rights.append(pair.right, of: rightBytes)
    }
    lefts.finish()
    rights.finish()
    let arrayType = isText ? TypeOID.textArray : planned.baseType.arrayOid
    let result = try connection.query(
      """
      SELECT v.ordinal::integer
      FROM unnest($1, $2) WITH ORDINALITY AS v (a, b, ordinal)
      WHERE v.a\(cast)\(equality.collation) \(equality.symbol) v.b\(cast)\(equality.collation)
      """,
      [Parameter(binary: lefts.bytes, type: arrayType), Parameter(binary: rights.bytes, type: arrayType)],
      "comparing values of \(planned.name) in \(plan.production)"
    )
    var areEqual = [Bool](repeating: false, count: pairs.count)
    for row in 0..<result.count {
      if let ordinal = result.integer(row, 0), areEqual.indices.contains(ordinal - 1) { areEqual[ordinal - 1] = true }
    }
    return areEqual
  }

  private func isEqual(
    _ pair: Pair,
    _ column: TablePlan.Column,
    equality: EqualityOperators.Equality,
    left leftBytes: RawSpan,
    right rightBytes: RawSpan
  ) throws -> Bool {
    let result = try connection.query(
      "SELECT $1\(equality.collation) \(equality.symbol) $2\(equality.collation)",
      [
        Parameter(binary: Self.bytes(pair.left, leftBytes), type: column.baseType.oid),
        Parameter(binary: Self.bytes(pair.right, rightBytes), type: column.baseType.oid),
      ],
      "comparing values of \(column.name) in \(plan.production)"
    )
    return result.bool(0, 0) ?? false
  }

  private static func bytes(_ field: FieldRange, _ source: RawSpan) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(field.bytes, of: source)
    return bytes
  }
}
