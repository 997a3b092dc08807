/// Rows of the staging table whose keys follow each other: a batch that goes by production's order and not by staging's.
struct RowsByKey: Sendable {
  /// The stretch of keys that these rows are all of, as far as they were there to be read.
  let range: KeyRange
  /// In the order of their keys.
  let addresses: [UInt64]
  /// Of the same rows.
  let keys: KeyList

  /// Both halves, divided between two keys; nil where there is only one.
  var halves: (RowsByKey, RowsByKey)? {
    let middle = addresses.count / 2
    let above = (middle..<addresses.count).first { $0 > 0 && !keys.areSame($0, $0 - 1) }
    guard let cut = above ?? (1..<max(middle, 1)).last(where: { !keys.areSame($0, $0 - 1) }) else { return nil }
    let bound = keys[cut]
    return (
      part(0..<cut, KeyRange(columns: range.columns, start: range.start, end: bound)),
      part(cut..<addresses.count, KeyRange(columns: range.columns, start: bound, end: range.end))
    )
  }

  private func part(_ rows: Range<Int>, _ range: KeyRange) -> RowsByKey {
    RowsByKey(range: range, addresses: Array(addresses[rows]), keys: keys[rows])
  }
}
