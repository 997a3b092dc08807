/// What the rounds of a run have come to, before the run is closed.
struct RunOutcome {
  struct TableOutcome {
    var elapsedMilliseconds = 0
    var pages = PageCounts()
    var isCold = false
    var failure: (any Error)?
    /// A parent has failed.
    var isSkipped = false
  }

  /// Connections that broke, and ended the round with it.
  struct Loss {
    /// The tables whose batches were under way.
    var tables: Set<Int>
    var error: (any Error)?
  }

  private(set) var tables: [TableOutcome]
  /// What ended the run as a whole.
  private(set) var fatalError: (any Error)?
  private(set) var isOverRefusalLimit = false
  /// By table, how many rows of staging were not merged when that was last asked.
  var unreadCounts: [Int: Int] = [:]
  private var isStopped = false
  private var loss: Loss?

  /// Nothing has happened yet.
  init(_ plan: MergePlan) {
    tables = plan.tables.map { _ in TableOutcome() }
  }

  /// Adds a round.
  mutating func add(_ queue: WorkQueue, fatalError: (any Error)?, isStopped: Bool) {
    for (index, state) in queue.snapshot.enumerated() {
      tables[index].elapsedMilliseconds += state.progressNow.elapsedMilliseconds ?? 0
      tables[index].pages += state.pages
      tables[index].isCold = tables[index].isCold || state.isCold
      tables[index].failure = tables[index].failure ?? state.failure
      tables[index].isSkipped = tables[index].isSkipped || state.isSkipped
    }
    self.fatalError = self.fatalError ?? fatalError
    self.isStopped = isStopped
    isOverRefusalLimit = isOverRefusalLimit || queue.isOverRefusalLimit
    loss = queue.loss
  }

  /// There is no other round.
  mutating func end(_ error: any Error) { fatalError = fatalError ?? error }

  /// Nothing forbids another round.
  var mayGoOn: Bool { !isStopped && fatalError == nil && !isOverRefusalLimit }

  /// Every row was read, and met a verdict.
  var isClean: Bool { mayGoOn && tables.allSatisfy { $0.failure == nil && !$0.isSkipped } }

  var tablesWithoutFailure: Set<Int> {
    Set(tables.indices.filter { tables[$0].failure == nil && !tables[$0].isSkipped })
  }

  /// The connections that the last round lost; asked once.
  mutating func takeLoss() -> Loss? {
    defer { loss = nil }
    return loss
  }

  /// Gives tables up, and those that refer to them.
  mutating func fail(_ indices: Set<Int>, _ error: any Error, plan: MergePlan) {
    for index in indices { tables[index].failure = tables[index].failure ?? error }
    for index in tables.indices
    where plan.parents[index].contains(where: { tables[$0].failure != nil || tables[$0].isSkipped }) {
      tables[index].isSkipped = tables[index].failure == nil
    }
  }
}
