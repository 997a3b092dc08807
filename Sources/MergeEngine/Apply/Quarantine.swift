import Libpq

/// Writes a batch piece by piece, so that a row the server refuses stands alone in the end and the others get in.
///
/// Every piece is a savepoint. A piece that is refused is tried again smaller: up to the line that COPY's error
/// names, else by halves, down to one row; after a success pieces grow again. A single refused row among n costs
/// about 2 log2(n) tries over 3n rows. Where bad rows come at regular distances, a piece is tried of as many rows as
/// went in before the last bad one, and then a single row: two tries a bad row.
struct Quarantine {
  let record: RefusalRecord

  /// A row that the server refused.
  struct Refusal {
    let row: UInt32
    let error: PostgresError

    /// It may pass once another row is written, or is gone.
    var dependsOnOtherRows: Bool { error.sqlState?.dependsOnOtherRows == true }
  }

  /// Writes down the refused rows of `batch`.
  func put(_ refusals: [Refusal], of batch: StagedBatch) throws {
    try record.write(refusals.map { (batch.rows[Int($0.row)].address, $0.error) })
  }

  /// Writes `rows` by `write`, one piece after the other.
  ///
  /// - Parameter prelude: what the server is to do before each piece, and not to undo with it; gets whether rows that
  ///   were written before stand in the batch table.
  /// - Returns: the rows that were refused; nothing is recorded yet.
  func write(
    _ rows: [UInt32],
    on production: Connection,
    counts: inout Apply.Counts,
    after prelude: (_ holdsRows: Bool) throws -> Void,
    by write: (ArraySlice<UInt32>) throws -> Apply.Counts
  ) throws -> [Refusal] {
    var refused: [Refusal] = []
    var next = 0
    var pieceSize = rows.count
    /// What a piece that was refused had there is gone with its savepoint.
    var holdsRows = true
    /// The piece after the current one begins with the row that COPY named.
    var suspectFollows = false
    /// How many rows went in between the last two refused ones, and since the last one.
    var expectedRun = 0
    var run = 0
    while next < rows.count {
      let piece = rows[next..<min(next + pieceSize, rows.count)]
      do {
        try prelude(holdsRows)
        counts += try Savepoint.attempt(on: production) { try write(piece) }
        holdsRows = true
        next = piece.endIndex
        run += piece.count
        pieceSize = suspectFollows || run == expectedRun ? 1 : pieceSize * 2
        suspectFollows = false
      } catch let error as PostgresError where error.refusesRow {
        holdsRows = false
        if piece.count == 1 {
          refused.append(Refusal(row: rows[next], error: error))
          next += 1
          // 64 is arbitrary: after a long run a fair piece rather than one that is likely to be refused again.
          pieceSize = min(max(run, 1), 64)
          expectedRun = run
          run = 0
          continue
        }
        let line = error.copyLine.map { $0 - 1 }.flatMap { (0..<piece.count).contains($0) ? $0 : nil }
        suspectFollows = (line ?? 0) > 0
        pieceSize = line.map { max($0, 1) } ?? piece.count / 2
      }
    }
    return refused
  }
}
