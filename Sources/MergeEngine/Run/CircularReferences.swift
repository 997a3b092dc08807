import Libpq

/// Rows that were refused only because the row they refer to came later.
///
/// Tables are merged parents first, which a table that refers to itself, or a circle of tables, has no order for. So
/// when all is merged, their rows that a foreign key refused are set back to NEW and merged once more, for as long as
/// fewer remain each time. What then remains lacks its parent for good.
struct CircularReferences {
  private let context: RunContext
  private var lastCount = Int.max

  init(_ context: RunContext) {
    self.context = context
  }

  /// - Returns: the tables to merge again; nil when there is nothing to be gained.
  mutating func releaseRefused(_ control: Connection) throws -> Set<Int>? {
    let tables = context.plan.circular.filter { context.plan.tables[$0].marksRows }
    guard !tables.isEmpty else { return nil }
    let refused = ErrorLedger.Selection(runID: context.record.id, sqlState: .foreignKeyViolation)
    let ledger = ErrorLedger(admin: Identifier(context.schemas.admin))
    let counts = try tables.map { (table: $0, count: try ledger.count(refused, of: context.plan.tables[$0], control)) }
    let total = counts.reduce(0) { $0 + $1.count }
    guard total > 0, total < lastCount else { return nil }
    lastCount = total
    let staging = try context.session.connectStagingControl(beside: control)
    for (table, count) in counts where count > 0 {
      try ledger.release(refused, of: context.plan.tables[table], uncounts: true, production: control, staging: staging)
    }
    return Set(counts.filter { $0.count > 0 }.map(\.table))
  }
}
