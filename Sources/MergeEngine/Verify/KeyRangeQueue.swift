/// The ranges of keys that are still to be joined, of all tables that are compared within the server.
final class KeyRangeQueue: Sendable {
  /// A range of a table.
  struct Item: Sendable {
    let table: Int
    let range: JoinedTable.KeyRange
  }

  private struct State {
    /// The next one last.
    var items: [Item]
    var progress: [Int: TableProgress]
    var startedAt: [Int: ContinuousClock.Instant] = [:]
    var isStopped = false
  }

  private let monitor: Monitor<State>

  /// - Parameter ranges: by table.
  init(_ ranges: [(table: Int, plan: TablePlan, ranges: [JoinedTable.KeyRange])]) {
    let items = ranges.flatMap { table in table.ranges.map { Item(table: table.table, range: $0) } }
    let progress = ranges.map { table in
      var progress = TableProgress(table: table.plan.name, expectedRowCount: table.plan.estimatedRowCount)
      progress.blockCount = table.ranges.count
      progress.isFinished = table.ranges.isEmpty
      return (table.table, progress)
    }
    monitor = Monitor(
      State(items: items.reversed(), progress: Dictionary(uniqueKeysWithValues: progress))
    )
  }

  /// - Returns: nil when nothing is left, or the queue was stopped.
  func take() -> Item? {
    monitor.update { state in
      guard !state.isStopped, let item = state.items.popLast() else { return nil }
      if state.startedAt[item.table] == nil { state.startedAt[item.table] = .now }
      return item
    }
  }

  /// A range is done, as one of a table's blocks.
  func complete(_ item: Item, rowCount: Int) {
    monitor.update { state in
      guard var progress = state.progress[item.table] else { return }
      progress.counts.read += rowCount
      progress.blocksDone += 1
      progress.isFinished = progress.blocksDone == progress.blockCount
      progress.elapsedMilliseconds = state.startedAt[item.table].map { (ContinuousClock.now - $0).milliseconds }
      state.progress[item.table] = progress
    }
  }

  /// Hands out nothing any more.
  func stop() { monitor.update { $0.isStopped = true } }

  /// How far each table has come.
  var progress: [Int: TableProgress] { monitor.update { $0.progress } }
}
