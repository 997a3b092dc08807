import Libpq

/// Divides rows that come in the order of their keys into batches, none of which ends within a key.
struct KeyBatches {
  private let columns: [String]
  private var addresses: [UInt64] = []
  private var keys: KeyList
  /// A key whose rows are left out.
  private var skipped: [[UInt8]]?

  /// - Parameters:
  ///   - columns: the key's.
  ///   - form: how they are read.
  init(columns: [String], form: KeyRange.Form) {
    self.columns = columns
    keys = KeyList(columnCount: columns.count, form: form)
  }

  /// Takes rows as ``ClaimSQL/inKeyOrder(_:_:)`` gives them.
  mutating func append(_ rows: ResultSet) throws(KeyList.Unreadable) {
    for row in 0..<rows.count {
      try append(rows.address(row, 0), key: columns.indices.map { rows.bytes(row, $0 + 1) ?? [] })
    }
  }

  /// Takes a row; the key's values are in the server's binary form.
  mutating func append(_ address: UInt64, key: [[UInt8]]) throws(KeyList.Unreadable) {
    guard key != skipped else { return }
    try keys.append(key)
    addresses.append(address)
  }

  /// The next batch; nil when more rows must come first, or none is left.
  ///
  /// A key that has more rows than a batch may have is left out: its rows have to be read in another way.
  mutating func next(rowLimit: Int, isAtEnd: Bool) -> RowsByKey? {
    while addresses.count > rowLimit || isAtEnd && !addresses.isEmpty {
      guard addresses.count > rowLimit else { return take(addresses.count, end: nil) }
      if let end = (1...rowLimit).last(where: { !keys.areSame($0, $0 - 1) }) { return take(end, end: keys[end]) }
      skipped = keys.values(0)
      keep((addresses.indices.first { !keys.areSame($0, 0) } ?? addresses.count)..<addresses.count)
    }
    return nil
  }

  private mutating func take(_ count: Int, end: KeyRange.Key?) -> RowsByKey {
    defer { keep(count..<addresses.count) }
    return RowsByKey(
      range: KeyRange(columns: columns, start: keys[0], end: end),
      addresses: Array(addresses[..<count]),
      keys: keys[0..<count]
    )
  }

  private mutating func keep(_ rows: Range<Int>) {
    addresses = Array(addresses[rows])
    keys = keys[rows]
  }
}

extension ResultSet {
  /// A tid: four bytes of block, two of offset.
  fileprivate func address(_ row: Int, _ column: Int) -> UInt64 {
    (bytes(row, column) ?? []).reduce(0) { $0 << 8 | UInt64($1) }
  }
}
