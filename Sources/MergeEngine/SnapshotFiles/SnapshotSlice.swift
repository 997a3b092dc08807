/// Rows of a batch that come from a snapshot's file: a piece of the file, or what is still to be done of it.
struct SnapshotSlice: Sendable, Hashable {
  let piece: SnapshotFile.Piece
  /// Numbers of the rows that are wanted, in order; all within the piece, none empty.
  let rows: [Range<Int>]

  var rowCount: Int { rows.reduce(0) { $0 + $1.count } }

  /// The rows' numbers as text of an `int8multirange`.
  var multirangeText: String { "{\(rows.map { "[\($0.lowerBound),\($0.upperBound))" }.joined(separator: ","))}" }

  /// Both halves, or nil when there is only one row left.
  var halves: (SnapshotSlice, SnapshotSlice)? {
    guard rowCount > 1 else { return nil }
    var lower: [Range<Int>] = []
    var upper: [Range<Int>] = []
    var left = rowCount / 2
    for range in rows {
      let middle = range.lowerBound + min(left, range.count)
      left -= middle - range.lowerBound
      if middle > range.lowerBound { lower.append(range.lowerBound..<middle) }
      if middle < range.upperBound { upper.append(middle..<range.upperBound) }
    }
    return (SnapshotSlice(piece: piece, rows: lower), SnapshotSlice(piece: piece, rows: upper))
  }

  /// What is still to be done of a file.
  ///
  /// - Parameter done: rows that are done, in order and without overlap.
  static func remaining(of pieces: [SnapshotFile.Piece], done: [Range<Int>]) -> [SnapshotSlice] {
    var next = done.startIndex
    return pieces.compactMap { piece in
      var rows: [Range<Int>] = []
      var start = piece.rows.lowerBound
      while next < done.endIndex, done[next].upperBound <= start { next += 1 }
      var index = next
      while index < done.endIndex, done[index].lowerBound < piece.rows.upperBound {
        if done[index].lowerBound > start { rows.append(start..<done[index].lowerBound) }
        start = max(start, done[index].upperBound)
        index += 1
      }
      if start < piece.rows.upperBound { rows.append(start..<piece.rows.upperBound) }
      return rows.isEmpty ? nil : SnapshotSlice(piece: piece, rows: rows)
    }
  }
}
