import Libpq

/// Rows that were refused only because the row they refer to came later.
///
/// Tables are merged parents first, which a table that refers to itself, or a circle of tables, has no order for. So
/// when all is merged, their rows that a foreign key refused are set back to NEW and merged once more, for as long as
/// fewer remain each time. What then remains lacks its parent for good.
struct CircularReferences {
  private let context: RunContext
  private var lastCount = Int.max
  /// How many blocks staging has by now: a row that was marked ERROR and then NEW again may lie behind all others.
  private(set) var blockCounts: [Int: Int] = [:]

  init(_ context: RunContext) {
    self.context = context
  }

  /// - Returns: the tables to merge again; nil when there is nothing to be gained.
  mutating func releaseRefused(_ control: Connection) throws -> Set<Int>? {
    let tables = context.plan.circular.filter { context.plan.tables[$0].resumes }
    guard !tables.isEmpty else { return nil }
    let admin = Identifier(context.schemas.admin)
    let ledger = ErrorLedger(admin: admin)
    let counts = try tables.map { table in
      (table: table, count: try ledger.count(orphans(of: table), of: context.plan.tables[table], control))
    }
    let total = counts.reduce(0) { $0 + $1.count }
    guard total > 0, total < lastCount else { return nil }
    lastCount = total
    let staging = try context.session.connectStagingControl(beside: control)
    for (index, count) in counts where count > 0 {
      let table = context.plan.tables[index]
      if let progress = SnapshotProgress(table, admin: admin) {
        try progress.reopenOrphans(runID: context.record.id, control)
      } else {
        try ledger.release(orphans(of: index), of: table, uncounts: true, production: control, staging: staging)
        blockCounts[index] = try blockCount(of: table, staging)
      }
    }
    return Set(counts.filter { $0.count > 0 }.map(\.table))
  }

  private func blockCount(of table: TablePlan, _ staging: Connection) throws(PostgresError) -> Int? {
    try staging.query(
      "SELECT pg_relation_size(\(Literal(table.staging.quoted))::regclass) / current_setting('block_size')::bigint",
      "asking for the size of \(table.staging)"
    ).integer(0, 0)
  }

  private func orphans(of table: Int) -> ErrorLedger.Selection {
    ErrorLedger.Selection(
      runID: context.record.id,
      sqlState: .foreignKeyViolation,
      snapshotID: context.plan.tables[table].snapshot?.snapshotID
    )
  }
}
