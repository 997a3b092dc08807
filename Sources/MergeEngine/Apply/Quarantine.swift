import Libpq

/// Writes a batch piece by piece, so that a row the server refuses stands alone in the end and the others get in.
///
/// Every piece is a savepoint. A piece that is refused is tried again smaller: up to the line that COPY's error
/// names, else by halves, down to one row; after a success pieces grow again. A single refused row among n costs
/// about 2 log2(n) tries over 3n rows.
struct Quarantine {
  let plan: TablePlan
  let record: RefusalRecord

  /// Writes `rows` by `write`, one piece after the other.
  ///
  /// - Returns: the rows that were refused.
  func write(
    _ rows: [UInt32],
    of batch: StagedBatch,
    on production: Connection,
    counts: inout Apply.Counts,
    by write: (ArraySlice<UInt32>) throws -> Apply.Counts
  ) throws -> [UInt32] {
    var refused: [UInt32] = []
    var next = 0
    var pieceSize = rows.count
    /// The piece after the current one begins with the row that COPY named.
    var suspectFollows = false
    while next < rows.count {
      let piece = rows[next..<min(next + pieceSize, rows.count)]
      do {
        counts += try Savepoint.attempt(on: production) { try write(piece) }
        next = piece.endIndex
        pieceSize = suspectFollows ? 1 : pieceSize * 2
        suspectFollows = false
      } catch let error as PostgresError where error.refusesRow {
        if piece.count == 1 {
          refused.append(rows[next])
          try record.write(batch.rows[Int(rows[next])].address, error)
          next += 1
          // The line after a bad one is as good as any: go on with a fair piece rather than with single rows.
          pieceSize = 64
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

/// A part of a transaction that can fail alone.
enum Savepoint {
  /// Runs `body`; when it throws an error of the server, what it did is undone and the transaction goes on.
  static func attempt<Value>(on connection: Connection, _ body: () throws -> Value) throws -> Value {
    try connection.execute("SAVEPOINT attempt", "setting a savepoint")
    do {
      let value = try body()
      try connection.execute("RELEASE SAVEPOINT attempt", "releasing a savepoint")
      return value
    } catch {
      if !connection.isBroken {
        try connection.execute(
          "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt",
          "rolling back to a savepoint"
        )
      }
      throw error
    }
  }
}
