/// What all workers of a verification suspect, put together when each is through with its first look: only then is known which of
/// the suspects have one key.
final class SuspectPool: Sendable {
  /// Some suspects of a table, for one worker.
  struct Piece: Sendable {
    let table: Int
    let suspects: ArraySlice<SuspectRow>
  }

  /// All suspects, by table.
  struct Suspects {
    var rows: [[SuspectRow]]
    /// Since when the youngest of them is one.
    var lastAt: ContinuousClock.Instant?
  }

  private struct State {
    var suspects: Suspects
    var absentCount: Int
    /// The next one last; nil while it is not known which there are.
    var pieces: [Piece]?
  }

  private let monitor: Monitor<State>

  /// Suspects to a piece. Arbitrary: some transactions of a second look.
  private static let pieceRowCount = 20_000

  init(tableCount: Int, workerCount: Int) {
    let none = [[SuspectRow]](repeating: [], count: tableCount)
    monitor = Monitor(State(suspects: Suspects(rows: none), absentCount: workerCount))
  }

  /// Adds what a worker suspects.
  ///
  /// - Returns: what all of them do, for the last one to come, which is to hand out what of it is to be looked at again; nil for the
  ///   others.
  func add(_ suspects: Suspects) -> Suspects? {
    monitor.update { state in
      for (table, rows) in suspects.rows.enumerated() { state.suspects.rows[table] += rows }
      if let last = suspects.lastAt { state.suspects.lastAt = max(state.suspects.lastAt ?? last, last) }
      state.absentCount -= 1
      guard state.absentCount == 0 else { return nil }
      defer { state.suspects.rows = [] }
      return state.suspects
    }
  }

  /// Has suspects looked at again.
  func handOut(_ suspects: [[SuspectRow]]) {
    let pieces = suspects.enumerated().flatMap { table, rows in
      stride(from: 0, to: rows.count, by: Self.pieceRowCount).map { start in
        Piece(table: table, suspects: rows[start..<min(start + Self.pieceRowCount, rows.count)])
      }
    }
    monitor.update { $0.pieces = $0.pieces ?? pieces }
  }

  /// Waits until suspects are handed out.
  ///
  /// - Returns: nil when none is left.
  func take() -> Piece? {
    monitor.wait { state in
      guard state.pieces != nil else { return nil }
      return .some(state.pieces?.popLast())
    } ?? nil
  }

  /// Hands out nothing any more.
  func stop() { monitor.update { $0.pieces = [] } }
}
