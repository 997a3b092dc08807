import Libpq

/// Takes the images of one table back, a stretch of them in a transaction.
struct RollbackBatch {
  let table: RollbackTable
  let sql: RollbackSQL
  private let record: RollbackRecord
  private let connections: WorkerConnections
  /// nil when staging is gone, or can't be matched any more.
  private let staging: StagingRelease?
  /// Image tables, this one among them, that hold images by transactions whose rows are put back.
  private let predecessors: [QualifiedName]
  private let undone: Identifier

  private var production: Connection { connections.production }

  /// What a transaction has taken back.
  struct Counts {
    var restored = 0
    var deleted = 0
    var altered = 0
    /// Where the staging rows lie that the next merge reads again.
    var released: Set<UInt64> = []

    var isEmpty: Bool { restored + deleted == 0 }
  }

  /// Makes the session's temporary table, and brings the image tables into order.
  ///
  /// - Parameter others: all image tables of the production table, of whichever run.
  init(
    _ table: RollbackTable,
    number: Int,
    _ record: RollbackRecord,
    staging: TablePlan?,
    others: [QualifiedName],
    on connections: WorkerConnections
  ) throws(PostgresError) {
    self.table = table
    self.record = record
    self.connections = connections
    self.staging = staging.map { StagingRelease($0, admin: record.admin, on: connections) }
    undone = Identifier("merge_engine_undone_\(number)")
    sql = RollbackSQL(table: table, undone: undone, locked: Identifier("merge_engine_locked_\(number)"))
    let production = connections.production
    let operation = "preparing the rollback of \(table.production)"
    try production.execute("\(sql.createUndone); \(sql.createLocked)", operation)
    for other in others { try production.execute(RollbackSQL.discardRepeated(other), operation) }
    predecessors = try Self.predecessors(among: others, sql, on: production, operation)
  }

  /// Rows are looked up in these by key, so they get an index; a merge, which never looks, does without.
  private static func predecessors(
    among others: [QualifiedName],
    _ sql: RollbackSQL,
    on production: Connection,
    _ operation: String
  ) throws(PostgresError) -> [QualifiedName] {
    var found: [QualifiedName] = []
    for other in others {
      try production.execute("BEGIN; SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on", operation)
      let isPredecessor = try production.query(sql.hasPredecessors(in: other), operation).bool(0, 0) == true
      let isIndexed = try production.query(
        "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = \(Literal(other.quoted))::regclass)",
        operation
      )
      if isPredecessor {
        found.append(other)
        if isIndexed.bool(0, 0) != true { try production.execute(sql.indexKeys(of: other), operation) }
      }
      try production.execute("COMMIT", operation)
    }
    return found
  }

  /// How much there is to be taken back.
  struct Size {
    let blockCount: Int
    let rowCount: Int

    /// How many blocks hold about so many images.
    func blockCount(forRows wantedCount: Int) -> Int { max(1, blockCount * wantedCount / max(rowCount, 1)) }
  }

  /// How many blocks and rows the images have; no block where there is no row.
  func size() throws(PostgresError) -> Size {
    let size = try production.query(
      """
      SELECT pg_relation_size(\(table.entry.imageOid)::regclass) / current_setting('block_size')::bigint,
             (SELECT count(*) FROM \(table.image))
      """,
      "counting \(table.image)"
    )
    let rowCount = size.integer(0, 1) ?? 0
    return Size(blockCount: rowCount == 0 ? 0 : size.integer(0, 0) ?? 0, rowCount: rowCount)
  }

  /// Takes a stretch back, in a transaction of its own.
  ///
  /// The transaction is left as it is when it fails.
  ///
  /// - Parameter released: where staging rows lie that the next merge reads again already.
  func undo(_ range: TupleRange, besides released: Set<UInt64>) throws(PostgresError) -> Counts {
    let operation = "rolling back \(table.production)"
    try connections.execute("BEGIN", operation)
    // Deferred constraints would speak up at the commit, when no row can be told from another any more.
    try production.execute("SET CONSTRAINTS ALL IMMEDIATE", operation)
    // Only what there is: a statement that writes no row runs its triggers, too, and one of them may refuse it.
    let kinds = try production.query(sql.kinds(in: range), operation)
    let (restores, reinserts) = (kinds.bool(0, 0) == true && !table.updatableColumns.isEmpty, kinds.bool(0, 1) == true)
    // Inserted rows first: they may hold unique values that old rows want back.
    try deleteInserted(range)
    if restores { try production.execute(sql.restore(range), "restoring old rows of \(table.production)") }
    if reinserts { try production.execute(sql.reinsert(range), "restoring deleted rows of \(table.production)") }
    if table.hasTriggers, !table.columns.isEmpty, restores || reinserts {
      try production.execute(
        sql.takeRestored(range),
        "checking what triggers of \(table.production) did to restored rows"
      )
    }
    let counts = try finish(operation, besides: released)
    try connections.commitStagingFirst(operation)
    return counts
  }

  private func deleteInserted(_ range: TupleRange) throws(PostgresError) {
    guard try lockInserted(range.condition) > 0 else { return }
    if !table.references.isEmpty {
      // Without an index on the child only a hash join reads it once, and not once for every row.
      let operation = "looking for what refers to rows of \(table.production)"
      try production.execute(RollbackSQL.allowsHashing(true), operation)
      for reference in table.references { try production.execute(sql.leaveReferred(to: reference), operation) }
      try production.execute(RollbackSQL.allowsHashing(false), operation)
    }
    try production.execute(RollbackSQL.deleteLocked([sql]), "deleting inserted rows of \(table.production)")
    try takeDeleted()
  }

  /// - Parameter isWanted: a condition on images.
  /// - Returns: how many of them are of inserted rows that nobody has touched, which are locked now.
  func lockInserted(_ isWanted: SQL) throws(PostgresError) -> Int {
    try production.execute(sql.lockInserted(isWanted), "locking inserted rows of \(table.production)")
  }

  /// - Throws: also an error that refuses the row where a trigger has written one instead of deleting it.
  func takeDeleted() throws(PostgresError) {
    guard table.hasTriggers else { return }
    let operation = "checking what triggers of \(table.production) did to deleted rows"
    try production.execute(sql.takeDeleted, operation)
    guard try production.query(sql.isWrittenInstead, operation).bool(0, 0) == true else { return }
    throw PostgresError(
      .server,
      sqlState: .integrityConstraintViolation,
      message: "a trigger of \(table.production) writes the row instead of deleting it; disable it for the rollback",
      operation: operation
    )
  }

  /// Does what follows from the keys that the transaction has taken back, and counts them.
  func finish(_ operation: String, besides released: Set<UInt64>) throws(PostgresError) -> Counts {
    let row = try production.query(sql.countUndone, operation)
    var counts = Counts()
    counts.restored = row.integer(0, 0) ?? 0
    counts.deleted = row.integer(0, 1) ?? 0
    counts.altered = row.integer(0, 2) ?? 0
    guard !counts.isEmpty else { return counts }
    for other in predecessors { try production.execute(sql.follow(in: other), operation) }
    counts.released = try staging?.release(undone, besides: released) ?? []
    try record.add(restored: counts.restored, deleted: counts.deleted, table, production)
    return counts
  }

  /// Rolls a failed transaction back.
  func abandon() throws(PostgresError) {
    try connections.undo("ROLLBACK", "giving up a batch of \(table.production)")
  }
}
