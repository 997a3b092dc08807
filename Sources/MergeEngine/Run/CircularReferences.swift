import Libpq

/// Rows that were refused only because the row they refer to came later, in this run or in one before it.
///
/// Tables are merged parents first, which a table that refers to itself, or a circle of tables, has no order for; and a
/// parent that was itself refused may be merged by a later run. So when all is merged, rows that a foreign key refused are
/// read once more, for as long as fewer remain each time. What then remains lacks its parent for good.
struct CircularReferences {
  private let context: RunContext
  private var lastCount = Int.max
  private var hasLooked = false

  init(_ context: RunContext) {
    self.context = context
  }

  /// - Returns: the tables to merge again; nil when there is nothing to be gained.
  mutating func releaseRefused(_ control: Connection) throws -> Set<Int>? {
    if context.plan.tables.contains(where: { $0.snapshot != nil }) { return try releaseReplayed(control) }
    let admin = Identifier(context.schemas.admin)
    let staging = try context.session.connectStagingControl(beside: control)
    let standing = RefusalStanding(admin: admin, production: control, staging: staging)
    let isFirstLook = !hasLooked
    hasLooked = true
    let waiting = try context.plan.tables.enumerated().map { index, table in
      let source = try StagingSource(table.staging, isElsewhere: staging !== control, staging)
      let refusals = try standing.refusals(of: table, source, sqlState: .foreignKeyViolation)
      // Outside of circles all parents were merged before, and only what earlier runs have refused may have got one.
      let isCircular = context.plan.circular.contains(index)
      return (source, refusals.filter { isCircular || isFirstLook && $0.runID != context.record.id })
    }
    let total = waiting.reduce(0) { $0 + $1.1.count }
    guard total > 0, total < lastCount else { return nil }
    lastCount = total
    for (table, (source, refusals)) in zip(context.plan.tables, waiting) {
      try ErrorLedger(admin: admin).reopen(
        refusals,
        of: table,
        source,
        runID: context.record.id,
        production: control,
        staging: staging
      )
    }
    return Set(waiting.indices.filter { !waiting[$0].1.isEmpty })
  }

  /// The same for rows of a snapshot's files, of this run.
  private mutating func releaseReplayed(_ control: Connection) throws -> Set<Int>? {
    let admin = Identifier(context.schemas.admin)
    let tables = context.plan.circular.sorted()
    let counts = try tables.map {
      try SnapshotProgress(context.plan.tables[$0], admin: admin)?
        .orphanCount(runID: context.record.id, control) ?? 0
    }
    let total = counts.reduce(0, +)
    guard total > 0, total < lastCount else { return nil }
    lastCount = total
    let waiting = zip(tables, counts).filter { $0.1 > 0 }.map(\.0)
    for table in waiting {
      try SnapshotProgress(context.plan.tables[table], admin: admin)?
        .reopenOrphans(runID: context.record.id, control)
    }
    return Set(waiting)
  }
}
