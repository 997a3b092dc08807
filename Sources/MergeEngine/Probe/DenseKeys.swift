import BinaryCopy

/// Divides a batch's candidates into stretches whose keys lie close together, and the others.
///
/// For integer keys the distance between the lowest and the highest bounds how many rows production can have between
/// them. Where that is not much more than the keys themselves, reading the stretch from the index from end to end
/// (0.35 µs a production row that lies in key order, 0.8 µs one that does not) beats a look-up for every key (1.3 to
/// 1.8 µs); where the keys are all new, there is nothing to read at all.
struct DenseKeys {
  /// Neighbouring candidates, by position in ``StagedBatch/candidates``, and the bounds of their keys.
  struct Stretch: Equatable {
    let candidates: Range<Int>
    let lowest: Int64
    let highest: Int64
  }

  /// Stretches to be read from end to end.
  private(set) var stretches: [Stretch] = []
  /// Positions of all other candidates, ascending.
  private(set) var others: [Int] = []

  /// A stretch may hold at most so many possible keys for each that is there: what a look-up costs, in rows read.
  static let possibleKeysPerCandidate = 2
  /// A statement of its own costs about as much as 100 look-ups; a stretch must be worth more.
  static let leastCandidateCount = 200
  /// Reading on over a gap of so many keys may cost as much as beginning another statement.
  static let largestGap = 500
  /// Statements a batch. Arbitrary: each has to be planned, on a partitioned table over all of its partitions.
  static let largestStretchCount = 8

  /// Divides the candidates of `batch`. In key order they make the longest stretches.
  ///
  /// - Precondition: the key is one integer column.
  mutating func divide(_ batch: StagedBatch) throws(BinaryCopyError) {
    stretches.removeAll(keepingCapacity: true)
    others.removeAll(keepingCapacity: true)
    let bytes = batch.bytes.rawSpan
    var start = 0
    var lowest: Int64 = 0
    var highest: Int64 = 0
    for (position, row) in batch.candidates.enumerated() {
      guard let key = try Self.key(of: batch.rows[Int(row)], bytes) else {
        close(start..<position, lowest, highest)
        others.append(position)
        start = position + 1
        continue
      }
      if position == start {
        lowest = key
      } else if Self.isGap(from: highest, to: key) {
        close(start..<position, lowest, highest)
        start = position
        lowest = key
      }
      highest = key
    }
    close(start..<batch.candidates.count, lowest, highest)
  }

  /// A key that is not above the one before it is a gap too, so that a stretch is ascending whatever comes.
  private static func isGap(from key: Int64, to next: Int64) -> Bool {
    let distance = next.subtractingReportingOverflow(key)
    return distance.overflow || !(1...Int64(largestGap)).contains(distance.partialValue)
  }

  private mutating func close(_ candidates: Range<Int>, _ lowest: Int64, _ highest: Int64) {
    // No overflow: no gap is larger than ``largestGap``, and there are far fewer than 2^50 candidates.
    let possibleKeyCount = Int(highest &- lowest) + 1
    if candidates.count >= Self.leastCandidateCount, stretches.count < Self.largestStretchCount,
      possibleKeyCount <= candidates.count * Self.possibleKeysPerCandidate
    {
      stretches.append(Stretch(candidates: candidates, lowest: lowest, highest: highest))
    } else {
      others.append(contentsOf: candidates)
    }
  }

  private static func key(of row: StagedRow, _ bytes: RawSpan) throws(BinaryCopyError) -> Int64? {
    var cursor = CopyCursor(offset: row.probeKey)
    return try integer(cursor.readField(in: bytes), bytes)
  }

  /// An integer of two, four or eight bytes; nil for NULL.
  static func integer(_ field: FieldRange, _ bytes: RawSpan) throws(BinaryCopyError) -> Int64? {
    switch field.byteCount {
    case -1: nil
    case 2: Int64(try bytes.bigEndian(at: field.offset, as: Int16.self))
    case 4: Int64(try bytes.bigEndian(at: field.offset, as: Int32.self))
    case 8: try bytes.bigEndian(at: field.offset, as: Int64.self)
    default: throw .wrongWidth(found: field.byteCount, expected: 8, offset: field.offset)
    }
  }
}
