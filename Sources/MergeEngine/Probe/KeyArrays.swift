import BinaryCopy
import Libpq

/// The keys of staging rows as one array parameter per key column.
struct KeyArrays {
  private var arrays: [BinaryArrayWriter]
  private let types: [UInt32]

  init(_ plan: TablePlan) {
    arrays = plan.keyColumns.map { BinaryArrayWriter(elementType: $0.probeElementOid) }
    types = plan.keyColumns.map(\.probeArrayOid)
  }

  /// Collects the keys of `rows`, positions in ``StagedBatch/rows``, in that order.
  mutating func collect(_ rows: [UInt32], of batch: StagedBatch) throws(BinaryCopyError) {
    let bytes = batch.bytes.rawSpan
    for index in arrays.indices { arrays[index].removeAll() }
    for row in rows {
      var cursor = CopyCursor(offset: batch.rows[Int(row)].probeKey)
      for index in arrays.indices { arrays[index].append(try cursor.readField(in: bytes), of: bytes) }
    }
    for index in arrays.indices { arrays[index].finish() }
  }

  /// What was collected last.
  var parameters: [Parameter] { zip(arrays, types).map { Parameter(binary: $0.bytes, type: $1) } }
}
