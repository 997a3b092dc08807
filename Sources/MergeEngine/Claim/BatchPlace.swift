import Libpq

/// Where the rows of a batch are.
enum BatchPlace: Sendable {
  /// A stretch of the staging table.
  case blocks(TupleRange)
  /// Rows of a snapshot's file.
  case slice(SnapshotSlice)
  /// Rows of the staging table in the order of production's keys.
  case keys(RowsByKey)
  /// Rows of the staging table that were set apart, by their addresses.
  case rows([UInt64])

  /// Both halves, or nil when there is only one row left.
  var halves: (BatchPlace, BatchPlace)? {
    switch self {
    case .blocks(let range): range.halves.map { (.blocks($0), .blocks($1)) }
    case .slice(let slice): slice.halves.map { (.slice($0), .slice($1)) }
    case .keys(let keyed): keyed.halves.map { (.keys($0), .keys($1)) }
    case .rows(let rows):
      rows.count < 2
        ? nil : (.rows(Array(rows[..<(rows.count / 2)])), .rows(Array(rows[(rows.count / 2)...])))
    }
  }

  /// Both parts of a stretch, before an address and from there on; as ``halves`` where there is no such address.
  func halves(at middle: UInt64?) -> (BatchPlace, BatchPlace)? {
    guard case .blocks(let range) = self, let middle, range.contains(middle), range.start < middle else {
      return halves
    }
    return (
      .blocks(TupleRange(start: range.start, end: middle)), .blocks(TupleRange(start: middle, end: range.end))
    )
  }

  /// How much of its table's way a batch is: blocks of staging, or rows of a file or in key order. Rows set apart are counted with the
  /// batch that they were set apart from.
  var progressCount: Int {
    switch self {
    case .blocks(let range): range.blockCount
    case .slice(let slice): slice.rowCount
    case .keys(let keyed): keyed.addresses.count
    case .rows: 0
    }
  }
}

/// Which rows of the relation that a batch is read from are meant.
enum StagedPlace {
  case range(TupleRange)
  case rows([UInt64])

  /// Both halves, or nil when there is only one row left.
  var halves: (StagedPlace, StagedPlace)? {
    switch self {
    case .range(let range): range.halves.map { (.range($0), .range($1)) }
    case .rows(let rows):
      rows.count < 2
        ? nil : (.rows(Array(rows[..<(rows.count / 2)])), .rows(Array(rows[(rows.count / 2)...])))
    }
  }

  /// The first address.
  var start: UInt64 {
    switch self {
    case .range(let range): range.start
    case .rows(let rows): rows.first ?? 0
    }
  }
}
