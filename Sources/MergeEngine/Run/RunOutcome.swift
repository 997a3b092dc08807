/// How the queue was left, before the run is closed.
struct RunOutcome {
  struct TableOutcome {
    var elapsedMilliseconds: Int
    var failure: (any Error)?
    var isSkipped: Bool
  }

  private(set) var tables: [TableOutcome]
  /// What ended the run as a whole.
  private(set) var fatalError: (any Error)?
  private(set) var isOverRefusalLimit: Bool
  private let isStopped: Bool

  init(_ queue: WorkQueue, fatalError: (any Error)?, isStopped: Bool) {
    tables = queue.snapshot.map { state in
      TableOutcome(
        elapsedMilliseconds: state.progressNow.elapsedMilliseconds ?? 0,
        failure: state.failure,
        isSkipped: state.isSkipped
      )
    }
    self.fatalError = fatalError
    self.isStopped = isStopped
    isOverRefusalLimit = queue.isOverRefusalLimit
  }

  /// Every row was read, and met a verdict.
  var isClean: Bool {
    !isStopped && fatalError == nil && !isOverRefusalLimit && tables.allSatisfy { $0.failure == nil && !$0.isSkipped }
  }

  /// Adds a further round over some of the same tables.
  static func += (left: inout Self, right: Self) {
    for (index, table) in right.tables.enumerated() {
      left.tables[index].elapsedMilliseconds += table.elapsedMilliseconds
      left.tables[index].failure = left.tables[index].failure ?? table.failure
      left.tables[index].isSkipped = left.tables[index].isSkipped || table.isSkipped
    }
    left = RunOutcome(
      tables: left.tables,
      fatalError: left.fatalError ?? right.fatalError,
      isOverRefusalLimit: left.isOverRefusalLimit || right.isOverRefusalLimit,
      isStopped: left.isStopped || right.isStopped
    )
  }

  private init(tables: [TableOutcome], fatalError: (any Error)?, isOverRefusalLimit: Bool, isStopped: Bool) {
    self.tables = tables
    self.fatalError = fatalError
    self.isOverRefusalLimit = isOverRefusalLimit
    self.isStopped = isStopped
  }
}
