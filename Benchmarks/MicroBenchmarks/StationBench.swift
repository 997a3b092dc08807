import BinaryCopy

@testable import MergeEngine

/// A station of the client.
enum Station: String, CaseIterable {
  case read = "binary COPY read"
  case sort = "key sort"
  case divide = "dense keys"
  case collect = "key arrays"
  case range = "versions of a stretch"
  case classify = "classify"
  case write = "binary COPY write"
  case walk = "walk over a snapshot's file"
}

/// A batch that has come as far as its stations need it, to be sent through one of them again and again.
struct StationBench {
  private let bytes: [UInt8]
  private let stretchBytes: [UInt8]
  private let stretch: DenseKeys.Stretch
  private let answer: ProbeAnswer
  private var batch = StagedBatch()
  private var order = KeyOrder()
  private var keys = DenseKeys()
  private var arrays = KeyArrays(OrdersBatch.plan)
  private var classifier = Classifier()
  private var writer: CopyWriter
  private var rangeProbe = RangeProbe(OrdersBatch.plan)
  private var rangeAnswer = ProbeAnswer()

  init(rowCount: Int) throws {
    bytes = OrdersBatch.bytes(rowCount: rowCount)
    writer = CopyWriter(capacity: 2 * bytes.count)
    batch.bytes = bytes
    try batch.index(OrdersBatch.plan)
    try order.arrange(&batch, OrdersBatch.plan)
    answer = OrdersBatch.answer(batch)
    stretchBytes = OrdersBatch.productionStretch(rowCount: rowCount)
    stretch = DenseKeys.Stretch(
      candidates: batch.candidates.indices,
      lowest: 0,
      highest: Int64(OrdersBatch.keyCount)
    )
    rangeAnswer.matches = batch.candidates.map { _ in .missing }
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
    case .range:
      rangeAnswer.bytes.removeAll(keepingCapacity: true)
      rangeAnswer.bytes += stretchBytes
      try rangeProbe.index(stretch, of: batch)
      try rangeProbe.read(stretch, from: 0, &rangeAnswer)
    case .classify: try classifier.classify(&batch, answer, OrdersBatch.plan)
    case .write: Self.write(batch, &writer)
    case .walk: try Self.walk(bytes)
    }
  }

  /// Not all rows came.
  private struct Incomplete: Error {}

  /// In pieces, as a file is read; their size is no multiple of a row's.
  private static func walk(_ bytes: [UInt8]) throws {
    var scanner = CopyRowScanner(fieldByteCounts: [6, 4, 8, 4, -1, 8])
    let bytes = bytes.rawSpan
    var rowCount = 0
    for start in stride(from: 0, to: bytes.byteCount, by: 1 << 20) {
      let piece = bytes.extracting(start..<min(start + (1 << 20), bytes.byteCount))
      var position = 0
      while try scanner.advance(in: piece, at: &position) == .rowEnd { rowCount += 1 }
    }
    try scanner.finish()
    guard rowCount > 0 else { throw Incomplete() }
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
