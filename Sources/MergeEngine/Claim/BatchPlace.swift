/// Where the rows of a batch are.
enum BatchPlace: Sendable {
  /// A stretch of the staging table.
  case blocks(TupleRange)
  /// Rows of a snapshot's file.
  case slice(SnapshotSlice)

  /// Both halves, or nil when there is only one row left.
  var halves: (BatchPlace, BatchPlace)? {
    switch self {
    case .blocks(let range): range.halves.map { (.blocks($0), .blocks($1)) }
    case .slice(let slice): slice.halves.map { (.slice($0), .slice($1)) }
    }
  }

  /// How much of its table's way a batch is: blocks of staging, or rows of a file.
  var progressCount: Int {
    switch self {
    case .blocks(let range): range.blockCount
    case .slice(let slice): slice.rowCount
    }
  }
}
