import Libpq

/// The advisory locks that a run holds on its control connection: its tables', and its own.
struct RunLocks {
  let plan: MergePlan

  /// Takes every table's lock, which belongs to the connection and ends with it.
  ///
  /// - Throws: ``MergeFailure/busy(table:)`` when another merge holds one.
  func takeTables(_ connection: Connection) throws {
    for table in plan.tables {
      let key = Int32(bitPattern: table.productionOid)
      guard try AdvisoryLock.tryAcquire(AdvisoryLock.tableClass, key, on: connection) else {
        throw MergeFailure.busy(table: table.name)
      }
    }
  }

  /// Takes the lock by which others see that the run is alive.
  static func takeRun(_ id: Int, _ connection: Connection) throws(PostgresError) {
    _ = try AdvisoryLock.tryAcquire(AdvisoryLock.runClass, Int32(truncatingIfNeeded: id), on: connection)
  }
}
