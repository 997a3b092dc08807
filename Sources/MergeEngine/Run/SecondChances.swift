import Libpq

/// Rows that were refused only because of what other rows were like then: the row they refer to came later, or a unique value
/// was handed on by a row of a later batch, in this run or in one before it.
///
/// So when all is merged, such rows are read once more, for as long as fewer remain each time; of those that want a value only
/// the ones that may get it (``ValueHolders``). What then remains lacks its parent for good, or wants a value that another row
/// keeps.
struct SecondChances {
  private let context: RunContext
  private let ancestors: [Set<Int>]
  /// How many rows stood refused at the last look, whether they were tried or not: one that is written may free others.
  private var lastCount = Int.max
  private var hasLooked = false
  /// Among the rows that were tried last are some that can only be written at once.
  private var hasKnots = false
  /// They stood in batches of their own then.
  private var isApart = false
  /// Tables of which rows were given another chance: their children may have got their parents by that.
  private var given: Set<Int> = []

  private static let states: [SQLState] = [.foreignKeyViolation, .uniqueViolation, .exclusionViolation]

  init(_ context: RunContext) {
    self.context = context
    ancestors = context.plan.ancestors
  }

  private func isParent(_ table: Int) -> Bool { context.plan.parents.contains { $0.contains(table) } }

  /// - Returns: the tables to merge again, each with the rows that are to be tried, in batches; nil when there is nothing to be gained.
  mutating func give(_ control: Connection) throws -> [Int: [[UInt64]]]? {
    if context.plan.tables.contains(where: { $0.reading.snapshot != nil }) { return try giveReplayed(control) }
    let admin = Identifier(context.schemas.admin)
    let staging = try context.session.connectStagingControl(beside: control)
    let standing = RefusalStanding(admin: admin, production: control, staging: staging)
    let isFirstLook = !hasLooked
    hasLooked = true
    var waiting: [(source: StagingSource, refusals: [RefusalStanding.Refusal])] = []
    var standingCount = 0
    var released = given
    for (index, table) in context.plan.tables.enumerated() {
      let source = try StagingSource(
        table.staging,
        isElsewhere: staging !== control,
        after: table.reading.state.source,
        staging
      )
      // Outside of circles all parents were merged before, but for those that wait themselves.
      // A row that was still referred to may not be any more, now that the tables below are merged.
      let waitsForOthers =
        context.plan.circular.contains(index) || !ancestors[index].isDisjoint(with: released) || isParent(index)
      let all = try Self.refusals(of: table, source, standing)
      standingCount += all.count
      // What earlier runs have refused may have got since whatever it waited for; once a run that is tried.
      let children = all.filter {
        $0.sqlState == .foreignKeyViolation && ($0.runID == context.record.id ? waitsForOthers : isFirstLook)
      }
      let hopeful = try Self.hopeful(
        all,
        of: table,
        control,
        isOneDatabase: staging === control,
        orElse: { isFirstLook || $0.runID == context.record.id }
      )
      let refusals = children + hopeful
      waiting.append((source, refusals))
      if !refusals.isEmpty { released.insert(index) }
    }
    let total = waiting.reduce(0) { $0 + $1.refusals.count }
    guard total > 0, standingCount < lastCount || hasKnots && !isApart else { return nil }
    isApart = lastCount != Int.max
    lastCount = standingCount
    given = released
    hasKnots = false
    var rows: [Int: [[UInt64]]] = [:]
    for (index, (source, refusals)) in waiting.enumerated() where !refusals.isEmpty {
      let addresses = try ErrorLedger(admin: admin).reopen(
        refusals,
        of: context.plan.tables[index],
        source,
        runID: context.record.id,
        production: control,
        staging: staging
      )
      let limit = context.batchRows
      guard staging === control else {
        rows[index] = ChanceBatches.cut(addresses.sorted(), limit)
        continue
      }
      let chances = ChanceBatches(table: context.plan.tables[index], production: control, rowLimit: limit)
      let (batches, hasKnots) = try chances.batches(of: addresses, isApart: isApart)
      rows[index] = batches
      self.hasKnots = self.hasKnots || hasKnots
    }
    return rows
  }

  /// The rows refused by earlier runs that the next run tries by itself, as things are: what a dry run has to count.
  struct NextTries {
    var tried: [UInt64] = []
    /// Those of them that it leaves after all if somebody else gets the values which they wait for.
    var forValues: Set<UInt64> = []
    /// How many it leaves unless it sets their values free.
    var hopelessCount = 0
  }

  /// - Throws: ``PostgresError``.
  static func nextTries(of table: TablePlan, admin: Identifier, production: Connection, staging: Connection)
    throws -> NextTries
  {
    guard !table.reading.state.refused.isEmpty, let source = table.reading.state.source else { return NextTries() }
    let standing = RefusalStanding(admin: admin, production: production, staging: staging)
    let all = try refusals(of: table, source, standing)
    let children = all.filter { $0.sqlState == .foreignKeyViolation }
    let hopeful = try hopeful(all, of: table, production, isOneDatabase: staging === production) { _ in true }
    return NextTries(
      tried: (children + hopeful).map(\.address).sorted(),
      // Elsewhere nobody can tell who has a value: such rows are tried whatever became of it.
      forValues: staging === production ? Set(hopeful.map(\.address)) : [],
      hopelessCount: all.count - children.count - hopeful.count
    )
  }

  /// What stands refused for what other rows were like, as far as the run merges such versions.
  private static func refusals(of table: TablePlan, _ source: StagingSource, _ standing: RefusalStanding)
    throws(PostgresError)
    -> [RefusalStanding.Refusal]
  {
    let all = try standing.refusals(of: table, source, sqlStates: states)
    guard !all.isEmpty, !table.reading.window.isUnbounded else { return all }
    let rows = try standing.staging.query(
      "SELECT s.ctid::text FROM \(table.staging) AS s WHERE \(SQL.rows(at: all.map(\.address)))\(ClaimSQL.windowCondition(table))",
      "looking which refused rows of \(table.staging) are within the window"
    )
    let within = Set((0..<rows.count).compactMap { rows.text($0, 0).flatMap { TupleAddress(text: $0)?.packed } })
    return all.filter { within.contains($0.address) }
  }

  /// The rows that want a unique value which nobody has any more, or that may come free together with theirs.
  ///
  /// - Parameter isTried: which ones are tried where nobody can tell, as where staging is in another database.
  private static func hopeful(
    _ refusals: [RefusalStanding.Refusal],
    of table: TablePlan,
    _ production: Connection,
    isOneDatabase: Bool,
    orElse isTried: (RefusalStanding.Refusal) -> Bool
  ) throws -> [RefusalStanding.Refusal] {
    let waiting = refusals.filter { $0.sqlState != .foreignKeyViolation }
    guard !waiting.isEmpty, isOneDatabase else { return waiting.filter(isTried) }
    // Who has a value may wait for a parent, and leave it when that comes.
    let needs = try RowNeeds(of: refusals.map(\.address), table, production)
    guard needs.isComplete else { return waiting.filter(isTried) }
    let hopeless = needs.hopeless
    return refusals.indices.filter { !hopeless.contains($0 + 1) && refusals[$0].sqlState != .foreignKeyViolation }
      .map { refusals[$0] }
  }

  /// The same for rows of a snapshot's files, refused in this run or in one that broke off before it.
  private mutating func giveReplayed(_ control: Connection) throws -> [Int: [[UInt64]]]? {
    let admin = Identifier(context.schemas.admin)
    let runID = context.record.id
    var counts: [Int: Int] = [:]
    var states: [Int: [SQLState]] = [:]
    var released = given
    for (index, table) in context.plan.tables.enumerated() {
      let waitsForOthers =
        context.plan.circular.contains(index) || !ancestors[index].isDisjoint(with: released) || isParent(index)
      states[index] = Self.states.filter { $0 != .foreignKeyViolation || waitsForOthers }
      let count =
        try SnapshotProgress(table, admin: admin)?.waitingCount(states[index] ?? [], control) ?? 0
      guard count > 0 else { continue }
      counts[index] = count
      released.insert(index)
    }
    let total = counts.values.reduce(0, +)
    guard total > 0, total < lastCount else { return nil }
    lastCount = total
    given = released
    for index in counts.keys {
      try SnapshotProgress(context.plan.tables[index], admin: admin)?.reopen(runID: runID, states[index] ?? [], control)
    }
    // Which rows that are is in the progress of the files.
    return counts.mapValues { _ in [] }
  }
}
