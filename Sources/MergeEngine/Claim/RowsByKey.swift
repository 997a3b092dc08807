/// Rows of the staging table whose keys, which are whole numbers, follow each other: a batch that goes by production's order and
/// not by staging's.
struct RowsByKey: Sendable {
  /// The stretch of keys that these rows are all of, as far as they were there to be read.
  let range: KeyRange
  /// In the order of their keys.
  let addresses: [UInt64]
  /// The keys, one after the other.
  let keys: [Int]

  /// Both halves, divided between two keys; nil where there is only one.
  var halves: (RowsByKey, RowsByKey)? {
    let middle = addresses.count / 2
    let above = (middle..<addresses.count).first { $0 > 0 && key($0) != key($0 - 1) }
    guard let cut = above ?? (1..<max(middle, 1)).last(where: { key($0) != key($0 - 1) }) else { return nil }
    let bound = Array(key(cut))
    return (
      part(0..<cut, KeyRange(columns: range.columns, start: range.start, end: bound)),
      part(cut..<addresses.count, KeyRange(columns: range.columns, start: bound, end: range.end))
    )
  }

  private func key(_ row: Int) -> ArraySlice<Int> {
    keys[(row * range.columns.count)..<((row + 1) * range.columns.count)]
  }

  private func part(_ rows: Range<Int>, _ range: KeyRange) -> RowsByKey {
    let width = range.columns.count
    return RowsByKey(
      range: range,
      addresses: Array(addresses[rows]),
      keys: Array(keys[(rows.lowerBound * width)..<(rows.upperBound * width)])
    )
  }
}
