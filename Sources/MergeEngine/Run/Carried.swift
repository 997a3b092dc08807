/// What became of a batch.
struct Carried {
  let counts: VerdictCounts
  /// The part of its place that was carried; the rest holds more rows than a batch may.
  let place: BatchPlace
  /// Pages of production that were visited.
  var pages = PageCounts()
  /// Production was taken to be larger than memory.
  var isCold = false
  /// Rows of that part that were not carried, but are to be tried by themselves; rows of one key together.
  var setApart: [[UInt64]] = []

  /// What was set apart, at most `count` rows at a time, the last portion to be tried first.
  ///
  /// A key with more rows is divided, for a portion that were larger would be set apart whole again: its newest row is in the last.
  func setApart(atMost count: Int) -> [[UInt64]] {
    setApart.reduce(into: []) { portions, group in
      guard group.count <= count else {
        portions += stride(from: 0, to: group.count, by: count).map { Array(group[$0..<min($0 + count, group.count)]) }
          .reversed()
        return
      }
      if let last = portions.last, last.count + group.count <= count {
        portions[portions.count - 1] += group
      } else {
        portions.append(group)
      }
    }
  }
}
