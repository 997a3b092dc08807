import BinaryCopy
import Libpq

/// Writes rows that the server copies from staging to production itself: only their addresses are sent.
///
/// In key order, as the addresses are. On wide rows it saves reading them out and sending them back, a third of the
/// server's work; where the client is far away, nearly all of the bytes.
struct ApplyWithinServer {
  private let plan: TablePlan
  private let production: Connection
  private let insert: PreparedStatement
  private let updateOlder: PreparedStatement?
  private var addresses = BinaryArrayWriter(elementType: TypeOID.tid)

  /// Prepares the statements.
  ///
  /// - Precondition: staging is where production is, and every column travels as it is.
  init(_ plan: TablePlan, _ production: Connection, statementName: String) throws(PostgresError) {
    self.plan = plan
    self.production = production
    insert = try production.prepareWithNext(
      "\(statementName)_insert",
      ApplySQL.insertAddressed(plan),
      parameterTypes: [TypeOID.tidArray],
      "inserting into \(plan.production)"
    )
    updateOlder =
      plan.updatedColumns.isEmpty
      ? nil
      : try production.prepareWithNext(
        "\(statementName)_update",
        ApplySQL.updateAddressed(plan),
        parameterTypes: [TypeOID.tidArray],
        "updating \(plan.production)"
      )
  }

  /// Writes rows of `batch`, positions in ``StagedBatch/rows``.
  ///
  /// - Throws: ``RowRoute/Closed`` when rows are not at their addresses any more, a trigger having moved them on, or
  ///   when the server can't do this with such tables; ``PostgresError``, as ``Apply/writeFast(_:inserts:updates:)``.
  mutating func write(
    _ batch: StagedBatch,
    inserts: [UInt32],
    updates: [UInt32],
    _ budget: inout LockBudget
  ) throws -> Apply.Counts {
    do {
      try budget.start(on: production)
      var counts = Apply.Counts()
      counts.inserted = try execute(insert, inserts, of: batch)
      if !inserts.isEmpty { try budget.limitNext(on: production) }
      if let updateOlder, !updates.isEmpty {
        counts.updated = try execute(updateOlder, updates, of: batch)
        // As ``Apply`` does: a row that was deleted and inserted again shows only now.
        for _ in 1..<Apply.updateLimit where counts.updated < updates.count {
          guard try isAnyDue(budget) else { break }
          try budget.limitNext(on: production)
          counts.updated += try execute(updateOlder, updates, of: batch)
        }
        // What a trigger makes older again afterwards was updated each time.
        counts.updated = min(counts.updated, updates.count)
      }
      counts.lostRaces = inserts.count + updates.count - counts.inserted - counts.updated
      return counts
    } catch let error as PostgresError where error.sqlState == .featureNotSupported {
      throw RowRoute.Closed()
    }
  }

  /// Whether one of the rows that were sent last is still to overwrite production's.
  private func isAnyDue(_ budget: LockBudget) throws(PostgresError) -> Bool {
    try budget.limitNext(on: production)
    return try production.query(
      ApplySQL.isAnyAddressedDue(plan),
      [Parameter(binary: addresses.bytes, type: TypeOID.tidArray)],
      "looking whether rows of \(plan.production) are older still"
    ).bool(0, 0) == true
  }

  /// - Returns: how many rows were written; the others have lost a race, or a trigger of production has left them out.
  private mutating func execute(
    _ statement: PreparedStatement,
    _ rows: [UInt32],
    of batch: StagedBatch
  ) throws -> Int {
    guard !rows.isEmpty else { return 0 }
    addresses.removeAll()
    for row in rows {
      let address = TupleAddress(batch.rows[Int(row)].address)
      addresses.appendTID(block: address.block, offset: address.offset)
    }
    addresses.finish()
    let parameter = Parameter(binary: addresses.bytes, type: TypeOID.tidArray)
    let writtenCount = try production.execute(statement, [parameter]).affectedRowCount
    if writtenCount < rows.count {
      let found = try production.query(ApplySQL.countAddressed(plan), [parameter], "looking up rows of \(plan.staging)")
      guard found.integer(0, 0) == rows.count else { throw RowRoute.Closed() }
    }
    return writtenCount
  }
}
