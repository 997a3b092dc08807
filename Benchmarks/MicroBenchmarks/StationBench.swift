import BinaryCopy

@testable import MergeEngine

/// A station of the client.
enum Station: String, CaseIterable {
  case read = "binary COPY read"
  case sort = "key sort"
  case divide = "dense keys"
  case collect = "key arrays"
  case classify = "classify"
  case write = "binary COPY write"
}

/// A batch that has come as far as its stations need it, to be sent through one of them again and again.
struct StationBench {
  private let bytes: [UInt8]
  private let answer: ProbeAnswer
  private var batch = StagedBatch()
  private var order = KeyOrder()
  private var keys = DenseKeys()
  private var arrays = KeyArrays(OrdersBatch.plan)
  private var classifier = Classifier()
  private var writer: CopyWriter

  init(rowCount: Int) throws {
    bytes = OrdersBatch.bytes(rowCount: rowCount)
    writer = CopyWriter(capacity: 2 * bytes.count)
    batch.bytes = bytes
    try batch.index(OrdersBatch.plan)
    try order.arrange(&batch, OrdersBatch.plan)
    answer = OrdersBatch.answer(batch)
  }

  mutating func run(_ station: Station) throws {
    switch station {
    case .read:
      batch.removeAll()
      batch.bytes += bytes
      try batch.index(OrdersBatch.plan)
    case .sort: try order.arrange(&batch, OrdersBatch.plan)
    case .divide: try keys.divide(batch)
    case .collect: try arrays.collect(batch.candidates, of: batch)
    case .classify: try classifier.classify(&batch, answer, OrdersBatch.plan)
    case .write: Self.write(batch, &writer)
    }
  }

  private static func write(_ batch: StagedBatch, _ writer: inout CopyWriter) {
    writer.removeAll()
    writer.writeHeader()
    let bytes = batch.bytes.rawSpan
    for row in batch.candidates {
      let fields = batch.rows[Int(row)].fields
      writer.writeRow(fieldCount: OrdersBatch.plan.columns.count, fields: fields, of: bytes)
    }
    writer.writeTrailer()
  }
}
