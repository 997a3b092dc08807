/// How many blocks of a staging table make a batch, by what the batches before have shown.
///
/// Two things are learnt: how many rows a block holds, and how many bytes a row has. Rows come near the wanted number;
/// bytes stay below ``BatchLimit/byteCount``, since a batch that turns out larger was read, and marked, for nothing.
struct BatchSize {
  private(set) var rowsPerBlock: Double
  private(set) var bytesPerRow: Double

  /// A batch is asked for with so much room below the limit. Arbitrary: rows are not all equally long.
  private static let fillLimit = 0.8 * Double(BatchLimit.byteCount)
  /// One odd stretch must not make the next batch huge, or tiny.
  private static let largestStep = 4.0

  /// - Parameters:
  ///   - blockCount: the table's.
  ///   - estimatedRowCount: by the server's statistics; nil without them. A hundred rows to a block is then a guess on
  ///     the high side: the first batch comes out small, and the next ones know better.
  init(blockCount: Int, estimatedRowCount: Int?) {
    let estimate = estimatedRowCount.map { Double($0) / Double(max(blockCount, 1)) }
    rowsPerBlock = max(estimate ?? 100, 0.01)
    bytesPerRow = Self.blockByteCount / rowsPerBlock
  }

  /// As servers are built, with very few exceptions; it only begins the estimate.
  private static let blockByteCount = 8192.0

  /// How many blocks to ask for, at least one.
  func blockCount(forRows wanted: Int) -> Int {
    let rows = min(Double(wanted), Self.fillLimit / bytesPerRow)
    // Rather a block too few: what does not fit would be another batch.
    return Int(min(max((rows / rowsPerBlock).rounded(.down), 1), 1e9))
  }

  /// A batch came out like this; follows it by at most ``largestStep``.
  mutating func learn(blockCount: Int, rowCount: Int, byteCount: Int) {
    guard blockCount > 0 else { return }
    rowsPerBlock = max(Self.step(from: rowsPerBlock, to: Double(rowCount) / Double(blockCount)), 0.01)
    guard rowCount > 0 else { return }
    bytesPerRow = max(Self.step(from: bytesPerRow, to: Double(byteCount) / Double(rowCount)), 1)
  }

  /// A batch of so many blocks was above the limit. By how much is not known: twice is assumed.
  mutating func learnTooLarge(blockCount: Int) {
    let rows = max(Double(blockCount) * rowsPerBlock, 1)
    bytesPerRow = max(bytesPerRow, 2 * Double(BatchLimit.byteCount) / rows)
  }

  private static func step(from known: Double, to seen: Double) -> Double {
    min(max(seen, known / largestStep), known * largestStep)
  }
}
