import BinaryCopy

/// Divides a batch's candidates wherever their keys, one integer column, lie far apart.
struct KeyStretches {
  /// Neighbouring candidates, by position in ``StagedBatch/candidates``, and the bounds of their keys.
  struct Stretch: Equatable {
    let candidates: Range<Int>
    let lowest: Int64
    let highest: Int64

    /// How many rows production can have between the bounds; no overflow where gaps are bounded.
    var possibleKeyCount: Int { Int(highest &- lowest) + 1 }
  }

  /// Ascending keys without a gap, in the candidates' order. A key that is NULL stands alone, with bounds that mean
  /// nothing.
  private(set) var all: [Stretch] = []
  /// The candidates' keys; 0 for NULL.
  private(set) var keys: [Int64] = []
  private let largestGap: Int64

  /// - Parameter largestGap: keys further apart than this begin another stretch.
  init(largestGap: Int64) {
    self.largestGap = largestGap
  }

  /// Divides the candidates of `batch`. In key order they make the longest stretches.
  ///
  /// - Precondition: the key is one integer column.
  mutating func divide(_ batch: StagedBatch) throws(BinaryCopyError) {
    all.removeAll(keepingCapacity: true)
    keys.removeAll(keepingCapacity: true)
    let bytes = batch.bytes.rawSpan
    var start = 0
    var previous: Int64?
    for row in batch.candidates {
      var cursor = CopyCursor(offset: batch.rows[Int(row)].probeKey)
      let key = try bytes.integer(cursor.readField(in: bytes))
      if !follows(key, previous) { close(&start) }
      keys.append(key ?? 0)
      previous = key
    }
    close(&start)
  }

  /// A key that is not above the one before it follows after a gap too, so that a stretch is ascending whatever comes.
  private func follows(_ key: Int64?, _ previous: Int64?) -> Bool {
    guard let key, let previous else { return false }
    let distance = key.subtractingReportingOverflow(previous)
    return !distance.overflow && (1...largestGap).contains(distance.partialValue)
  }

  /// Ends the stretch that begins at `start`, and begins the next.
  private mutating func close(_ start: inout Int) {
    guard start < keys.count else { return }
    all.append(Stretch(candidates: start..<keys.count, lowest: keys[start], highest: keys[keys.count - 1]))
    start = keys.count
  }
}
