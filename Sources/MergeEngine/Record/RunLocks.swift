import Libpq

/// The advisory locks that a run holds on its control connection: its tables', and its own.
struct RunLocks {
  /// Production tables by their plain names and oids.
  let tables: [(name: String, oid: UInt32)]

  init(plan: MergePlan) {
    self.init(tables: plan.tables.map { ($0.name, $0.productionOid) })
  }

  init(tables: [(name: String, oid: UInt32)]) {
    self.tables = tables
  }

  /// Takes every table's lock, which belongs to the connection and ends with it.
  ///
  /// - Throws: ``MergeFailure/busy(table:)`` when another merge holds one.
  func takeTables(_ connection: Connection) throws {
    for table in tables {
      let key = Int32(bitPattern: table.oid)
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
