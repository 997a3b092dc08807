import BinaryCopy
import Libpq

/// Some columns of staging rows as one array parameter each.
struct ColumnArrays {
  private var arrays: [BinaryArrayWriter]
  private let types: [UInt32]
  /// Positions in ``TablePlan/columns``, ascending.
  private let indices: [Int]

  /// Whether values of the column can be elements of an array.
  static func canHold(_ column: TablePlan.Column) -> Bool { column.travel == .text || column.baseType.arrayOid != 0 }

  /// - Parameter indices: positions in ``TablePlan/columns``, ascending.
  /// - Precondition: an array can hold each of the columns.
  init(_ plan: TablePlan, _ indices: [Int]) {
    self.indices = indices
    let columns = indices.map { plan.columns[$0] }
    arrays = columns.map {
      BinaryArrayWriter(elementType: $0.travel == .text ? TypeOID.text : $0.baseType.oid)
    }
    types = columns.map { $0.travel == .text ? TypeOID.textArray : $0.baseType.arrayOid }
  }

  /// The types of the parameters.
  var parameterTypes: [UInt32] { types }

  /// The columns of `rows`, positions in ``StagedBatch/rows``, in that order.
  mutating func parameters(_ rows: some Collection<UInt32>, of batch: StagedBatch) throws(BinaryCopyError)
    -> [Parameter]
  {
    let bytes = batch.bytes.rawSpan
    for array in arrays.indices { arrays[array].removeAll() }
    for row in rows {
      var cursor = CopyCursor(offset: batch.rows[Int(row)].fields.lowerBound)
      var column = 0
      for (array, index) in indices.enumerated() {
        try cursor.skipFields(index - column, in: bytes)
        arrays[array].append(try cursor.readField(in: bytes), of: bytes)
        column = index + 1
      }
    }
    for array in arrays.indices { arrays[array].finish() }
    return zip(arrays, types).map { Parameter(binary: $0.bytes, type: $1) }
  }
}
