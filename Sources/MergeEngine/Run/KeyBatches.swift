import Libpq

/// Divides rows that come in the order of their keys into batches, none of which ends within a key.
struct KeyBatches {
  private let columns: [String]
  private var addresses: [UInt64] = []
  private var keys: [Int] = []
  /// A key whose rows are left out.
  private var skipped: [Int]?

  /// - Parameter columns: the key's.
  init(columns: [String]) {
    self.columns = columns
  }

  /// Takes rows as ``ClaimSQL/inKeyOrder(_:)`` gives them.
  mutating func append(_ rows: ResultSet) {
    for row in 0..<rows.count {
      append(rows.address(row, 0), key: columns.indices.map { rows.integer(row, $0 + 1) ?? 0 })
    }
  }

  mutating func append(_ address: UInt64, key: [Int]) {
    guard key != skipped else { return }
    addresses.append(address)
    keys += key
  }

  /// The next batch; nil when more rows must come first, or none is left.
  ///
  /// A key that has more rows than a batch may have is left out: its rows have to be read in another way.
  mutating func next(rowLimit: Int, isAtEnd: Bool) -> RowsByKey? {
    while addresses.count > rowLimit || isAtEnd && !addresses.isEmpty {
      guard addresses.count > rowLimit else {
        defer { drop(addresses.count) }
        return batch(addresses.count, end: nil)
      }
      if let end = (1...rowLimit).last(where: { key($0) != key($0 - 1) }) {
        let bound = key(end)
        defer { drop(end) }
        return batch(end, end: Array(bound))
      }
      let first = Array(key(0))
      skipped = first
      drop(addresses.indices.first { Array(key($0)) != first } ?? addresses.count)
    }
    return nil
  }

  private func key(_ row: Int) -> ArraySlice<Int> { keys[(row * columns.count)..<((row + 1) * columns.count)] }

  private func batch(_ count: Int, end: [Int]?) -> RowsByKey {
    RowsByKey(
      range: KeyRange(columns: columns, start: Array(key(0)), end: end),
      addresses: Array(addresses[..<count]),
      keys: Array(keys[..<(count * columns.count)])
    )
  }

  private mutating func drop(_ count: Int) {
    addresses.removeFirst(count)
    keys.removeFirst(count * columns.count)
  }
}

extension ResultSet {
  /// A tid: four bytes of block, two of offset.
  fileprivate func address(_ row: Int, _ column: Int) -> UInt64 {
    (bytes(row, column) ?? []).reduce(0) { $0 << 8 | UInt64($1) }
  }
}
