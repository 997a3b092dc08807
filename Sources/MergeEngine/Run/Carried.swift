/// What became of a batch.
struct Carried {
  let counts: VerdictCounts
  /// The part of its place that was carried; the rest holds more rows than a batch may.
  let place: BatchPlace
  /// Rows of that part that were not carried, but are to be tried by themselves.
  var setApart: [UInt64] = []

  /// So many rows are few: they may be searched for the ones that are refused while their locks are held. Arbitrary: that
  /// takes some ten milliseconds.
  static let fewRows = 64
}
