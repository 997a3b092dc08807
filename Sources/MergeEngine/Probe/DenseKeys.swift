import BinaryCopy

/// Divides a batch's candidates into stretches whose keys lie close together, and the others.
///
/// For integer keys the distance between the lowest and the highest bounds how many rows production can have between
/// them. Where that is not much more than the keys themselves, reading the stretch from the index from end to end
/// (0.35 µs a production row that lies in key order, 0.8 µs one that does not) beats a look-up for every key (1.3 to
/// 1.8 µs); where the keys are all new, there is nothing to read at all.
struct DenseKeys {
  typealias Stretch = KeyStretches.Stretch

  /// Stretches to be read from end to end.
  private(set) var stretches: [Stretch] = []
  /// Positions of all other candidates, ascending.
  private(set) var others: [Int] = []

  /// A stretch may hold at most so many possible keys for each that is there: what a look-up costs, in rows read.
  static let possibleKeysPerCandidate = 2
  /// A statement of its own costs about as much as 100 look-ups; a stretch must be worth more.
  static let leastCandidateCount = 200
  /// Reading on over a gap of so many keys may cost as much as beginning another statement.
  static let largestGap: Int64 = 500
  /// Statements a batch. Arbitrary: each has to be planned, on a partitioned table over all of its partitions.
  static let largestStretchCount = 8

  private var keys = KeyStretches(largestGap: Self.largestGap)

  /// Divides the candidates of `batch`. In key order they make the longest stretches.
  ///
  /// - Precondition: the key is one integer column.
  mutating func divide(_ batch: StagedBatch) throws(BinaryCopyError) {
    stretches.removeAll(keepingCapacity: true)
    others.removeAll(keepingCapacity: true)
    try keys.divide(batch)
    for stretch in keys.all {
      let count = stretch.candidates.count
      if count >= Self.leastCandidateCount, stretches.count < Self.largestStretchCount,
        stretch.possibleKeyCount <= count * Self.possibleKeysPerCandidate
      {
        stretches.append(stretch)
      } else {
        others.append(contentsOf: stretch.candidates)
      }
    }
  }
}
