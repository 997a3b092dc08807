import Libpq

/// Counts what a repair would do now, on a read-only session.
///
/// What the server itself would refuse (a CHECK, a unique value, a trigger) shows only when it is tried.
struct DryRepair {
  let plan: RepairPlan
  let options: RepairOptions
  let connections: WorkerConnections
  let stop: StopSignal

  /// - Returns: one entry a table.
  func run() throws -> [RepairReport.Table] {
    let queue = RepairQueue(plan, batchRowCount: options.merge.batchRows, sampleLimit: options.sampleLimit)
    while stop.signal == nil, let batch = queue.take() {
      let differences = try plan.differences.differences(batch.lines)
      queue.add(
        try outcomes(differences, plan.tables.tables[batch.table], plan.references[batch.table]),
        of: differences,
        batch.lines,
        table: batch.table
      )
      queue.complete(batch)
    }
    return queue.result().tables
  }

  private func outcomes(_ differences: [Difference], _ table: TablePlan, _ references: [Reference]) throws
    -> [RepairOutcome]
  {
    try connections.execute("BEGIN READ ONLY", "beginning to look")
    try connections.production.execute(
      "SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on",
      "beginning to look"
    )
    let isExtra = differences.first?.kind == .extra
    let isInStaging =
      isExtra
      ? differences.map { _ in false }
      : try StagedValues(table, connections.staging).addresses(of: differences).map { $0 != nil }
    let sql = RepairSQL(
      plan: table,
      // Nothing is kept, since nothing is written.
      images: BeforeImageTable(name: table.production),
      references: references,
      needsStagedRows: true,
      batchTable: Identifier("none")
    )
    let outcomes = try RepairStanding(sql, connections.production).outcomes(differences, isInStaging: isInStaging)
    try connections.execute("COMMIT", "ending to look")
    return outcomes
  }
}
