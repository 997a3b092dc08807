import Libpq

/// Deletes the extra rows of one table, a batch in a transaction.
///
/// ```
/// LOCK staging ─▶ is it what was looked at? ─▶ lock extra rows ─▶ DELETE those that nothing refers to
/// ```
/// Whatever is emptied or loaded between the look and the deletion must not make production's rows extra: TRUNCATE waits
/// for the batch, and what has changed before it ends the deletion. Rows that other rows refer to stay, whatever their
/// foreign key would do: ON DELETE CASCADE would take rows along that are not extra.
struct ExtraDeletion {
  private let rows: ExtraRows
  private let connection: Connection
  private let references: [Reference]
  private let state: StagingState
  private let schemas: Schemas

  private var plan: TablePlan { rows.plan }

  /// Arbitrary: few enough that locks are held for a moment only.
  private static let batchRowCount = 10_000

  /// - Parameters:
  ///   - state: of the staging table, from before it was looked at.
  ///   - connection: one that may write, to the database that holds both sides.
  init(_ rows: ExtraRows, _ state: StagingState, schemas: Schemas, on connection: Connection) throws(PostgresError) {
    self.schemas = schemas
    self.rows = rows
    self.state = state
    self.connection = connection
    references = try Reference.read(to: rows.plan.productionOid, connection)
  }

  /// The rights that the role lacks.
  func missingRights() throws(PostgresError) -> Finding? {
    let production = Literal(plan.production.quoted)
    var rights: [SQL] = [
      "('DELETE on ' || \(Literal("\(plan.production)")), has_table_privilege(\(production), 'DELETE'))"
    ]
    if !references.isEmpty {
      // SELECT … FOR UPDATE asks for it.
      rights.append(
        "('UPDATE on ' || \(Literal("\(plan.production)")), has_any_column_privilege(\(production), 'UPDATE'))"
      )
    }
    rights += references.map {
      "('SELECT on ' || \(Literal("\($0.child)")), has_any_column_privilege(\(Literal($0.child.quoted)), 'SELECT'))"
    }
    let result = try connection.query(
      "SELECT string_agg(r.name, ', ') FROM (VALUES \(rights.joined(", "))) AS r (name, is_granted) WHERE NOT r.is_granted",
      "reading the role's rights on \(plan.production)"
    )
    return result.text(0, 0).map { .blocker(plan.name, "--extra delete: the role lacks \($0).") }
  }

  /// What the server will be slow at.
  var slowChecks: [String] { references.compactMap { $0.slowCheck(deletingFrom: plan.production) } }

  /// Deletes; an error ends it, and stands in the outcome beside what is deleted already.
  ///
  /// - Parameter outcome: what was found; no more rows than that are deleted.
  func run(_ outcome: inout ExtraRows.Outcome, _ stop: StopSignal) {
    do {
      try stop.covering(connection) {
        if let run = try loadingRun() {
          outcome.note = "not deleted: run \(run) is loading into staging, which is not complete then."
          return
        }
        while outcome.deletedCount < outcome.count, stop.signal == nil {
          guard try deleteNext(&outcome) else { break }
        }
        if stop.signal == nil, outcome.note == nil, outcome.deletedCount < outcome.count { try explain(&outcome) }
      }
    } catch {
      outcome.note = "not all deleted: \(error)."
      if connection.isInTransaction { _ = try? connection.execute("ROLLBACK", "giving up deleting extra rows") }
    }
  }

  /// A load may be going on without a session: DMS connects when it has rows.
  private func loadingRun() throws(PostgresError) -> Int? {
    guard try AdminSchema(schemas: schemas).columns(connection).contains("merge_summary.parameters") else { return nil }
    do {
      return try connection.query(
        """
        SELECT max(id) FROM \(Identifier(schemas.admin)).merge_summary AS r
        WHERE status = 'LOADING' AND \(PairSQL(schemas: schemas).ownsRun("r"))
        """,
        "looking for a run that is loading"
      ).integer(0, 0)
    } catch {
      // Who may not see the runs has none.
      guard error.sqlState == .insufficientPrivilege else { throw error }
      return nil
    }
  }

  /// - Returns: whether rows were deleted, and there may be more.
  private func deleteNext(_ outcome: inout ExtraRows.Outcome) throws(PostgresError) -> Bool {
    try connection.execute("BEGIN", "beginning to delete extra rows")
    if let obstacle = try obstacle() {
      outcome.note = "\(outcome.deletedCount > 0 ? "not all deleted" : "not deleted"): \(obstacle)"
      try connection.execute("ROLLBACK", "deleting nothing")
      return false
    }
    let count = try deleteBatch(min(outcome.count - outcome.deletedCount, Self.batchRowCount))
    try connection.execute("COMMIT", "deleting rows of \(plan.production) that staging lacks")
    outcome.deletedCount += count
    // None: what is left is referred to, or kept by a trigger, or CDC has been there.
    return count > 0
  }

  /// Locks staging against TRUNCATE, and sees whether it is as it was when rows were found to be extra.
  private func obstacle() throws(PostgresError) -> String? {
    try connection.execute(
      "LOCK TABLE \(plan.staging) IN ACCESS SHARE MODE",
      "locking \(plan.staging) against being truncated"
    )
    guard try StagingState(plan.staging, connection) == state else {
      return "\(plan.staging) was truncated or made anew meanwhile."
    }
    return try StagingWriters(table: plan.staging, connection: connection).obstacle()
  }

  /// - Returns: how many rows were deleted.
  private func deleteBatch(_ limit: Int) throws(PostgresError) -> Int {
    let operation = "deleting rows of \(plan.production) that staging lacks"
    // Deferred constraints would speak up at the commit.
    try connection.execute("SET CONSTRAINTS ALL IMMEDIATE", operation)
    let keys = plan.keyColumns
    let names = keys.indices.map { "k\($0)" as SQL }
    let outputs = zip(keys, names).map { column, name in
      "p.\(column.name)\(column.probesAsText ? "::text" : "") AS \(name)" as SQL
    }
    let isDeletable: SQL = """
      \(rows.isExtra) AND EXISTS (SELECT FROM \(plan.staging))
      \(references.map { "AND NOT EXISTS (\(referring($0)))" as SQL }.joined(" "))
      """
    let found = try connection.query(
      """
      SELECT count(*), \(names.map { "array_agg(e.\($0))" as SQL }.joined(", "))
      FROM (SELECT \(outputs.joined(", ")) FROM \(plan.production) AS p WHERE \(isDeletable)
            ORDER BY \(keys.map { "p.\($0.name)" as SQL }.joined(", ")) LIMIT \(limit)
            \(references.isEmpty ? "" : "FOR UPDATE OF p" as SQL)) AS e
      """,
      operation
    )
    guard (found.integer(0, 0) ?? 0) > 0 else { return 0 }
    // A statement of its own: only it sees the references that were made before the rows were locked.
    let match = zip(keys, names).map { column, name in
      "p.\(column.name) \(column.equality) e.\(name)\(column.probesAsText ? "::\(column.baseType.fullName)" : "")"
        as SQL
    }
    let parameters = keys.indices.map {
      Parameter(binary: found.bytes(0, $0 + 1), type: plan.columns[$0].probeArrayOid)
    }
    return try connection.query(
      """
      DELETE FROM \(plan.production) AS p
      USING unnest(\(keys.indices.map { "$\($0 + 1)" as SQL }.joined(", "))) AS e (\(names.joined(", ")))
      WHERE \(match.joined(" AND ")) AND \(isDeletable)
      """,
      parameters,
      operation
    ).affectedRowCount
  }

  /// Rows that refer to production's row; a row's reference to itself doesn't count.
  private func referring(_ reference: Reference) -> SQL {
    let sameKey = plan.keyColumns.map { "c.\($0.name) \($0.equality) p.\($0.name)" as SQL }.joined(" AND ")
    let isItself: SQL = reference.isFrom(plan.productionOid) ? " AND NOT (\(sameKey))" : ""
    return "SELECT FROM \(reference.child) AS c WHERE \(reference.condition(child: "c"))\(isItself)"
  }

  /// Says why rows are left.
  private func explain(_ outcome: inout ExtraRows.Outcome) throws(PostgresError) {
    // One scan each: in a FILTER the EXISTS would be a subplan for every row, in a WHERE it is a semi-join.
    let conditions = [rows.isExtra] + references.map { "\(rows.isExtra) AND EXISTS (\(referring($0)))" }
    let counts = try connection.query(
      "SELECT \(conditions.map { "(SELECT count(*) FROM \(plan.production) AS p WHERE \($0))" as SQL }.joined(", "))",
      "looking for rows of \(plan.production) that were not deleted"
    )
    let reasons = references.indices.compactMap { index in
      counts.integer(0, index + 1).flatMap { $0 > 0 ? "\($0.rows) that \(references[index].child) refers to" : nil }
    }
    guard (counts.integer(0, 0) ?? 0) > 0 else { return }
    outcome.note =
      "not all deleted: "
      + (reasons.isEmpty ? "the server or a trigger has kept them." : "\(reasons.joined(separator: ", ")).")
  }
}

/// Which table, and which file of it, a name stands for: another one after TRUNCATE, and after DROP and CREATE.
struct StagingState: Equatable {
  private let oid: Int?
  private let fileNode: Int?

  init(_ table: QualifiedName, _ connection: Connection) throws(PostgresError) {
    let row = try connection.query(
      "SELECT c.oid::bigint, pg_relation_filenode(c.oid)::bigint FROM pg_class c WHERE c.oid = \(Literal(table.quoted))::regclass",
      "looking whether \(table) is the same"
    )
    oid = row.integer(0, 0)
    fileNode = row.integer(0, 1)
  }
}
