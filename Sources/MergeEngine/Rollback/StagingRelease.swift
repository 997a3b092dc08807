import Libpq

/// Has the staging rows whose effect was rolled back read again by the next merge.
struct StagingRelease {
  private let plan: TablePlan
  private let staging: Connection
  private let production: Connection
  private let admin: Identifier

  init(_ plan: TablePlan, admin: Identifier, on connections: WorkerConnections) {
    var plan = plan
    plan.selection = .merged
    self.plan = plan
    self.admin = admin
    staging = connections.staging
    production = connections.production
  }

  private var isSplit: Bool { staging !== production }

  /// - Parameter undone: production's temporary table of keys, numbered k0, k1, …
  /// - Returns: how many rows will be read again.
  func release(_ undone: Identifier) throws(PostgresError) -> Int {
    let arrays = plan.keyColumns.indices.map { index in
      plan.columns[index].probesAsText ? "array_agg(u.k\(index)::text)" : "array_agg(u.k\(index))" as SQL
    }
    let keys = try production.query(
      "SELECT \(arrays.joined(", ")) FROM pg_temp.\(undone) AS u",
      "reading the keys that were rolled back in \(plan.production)"
    )
    let parameters = plan.keyColumns.indices.map {
      Parameter(binary: keys.bytes(0, $0), type: plan.columns[$0].probeArrayOid)
    }
    // Staging may have no index on its key; then only a hash join reads it once and not once for every row.
    try staging.execute("SET LOCAL enable_hashjoin = on", Self.operation(plan))
    let released = try staging.query(statement, parameters, Self.operation(plan))
    try staging.execute("SET LOCAL enable_hashjoin = off", Self.operation(plan))
    let addresses = (0..<released.count).compactMap { released.text($0, 0).flatMap { TupleAddress(text: $0)?.packed } }
    guard !addresses.isEmpty, let source = plan.reading.source else { return 0 }
    try ProgressTable(admin: admin).reopen(addresses, of: plan, source, runID: nil, production)
    if plan.marksRows {
      // A changed row is a new one by itself; its old address is of no row any more.
      try staging.execute(
        "UPDATE \(plan.staging) AS s SET \(TablePlanner.statusColumn) = 'NEW' WHERE \(SQL.rows(at: addresses))",
        Self.operation(plan)
      )
    }
    return addresses.count
  }

  private static func operation(_ plan: TablePlan) -> String {
    "releasing rows of \(plan.staging) whose effect was rolled back"
  }

  private var statement: SQL {
    let arrays = plan.keyColumns.indices.map { "$\($0 + 1)" as SQL }.joined(", ")
    let names = plan.keyColumns.indices.map { "k\($0)" as SQL }.joined(", ")
    let match = plan.keyColumns.indices.map { index in
      let column = plan.columns[index]
      // A type that travels as text is read as text from staging, too.
      if column.travel == .text { return "\(column.readExpression) = k.k\(index)" as SQL }
      let value: SQL = column.probesAsText ? "k.k\(index)::\(column.baseType.fullName)" : "k.k\(index)"
      return "\(column.readExpression) \(isSplit ? "=" : column.equality) \(value)"
    }
    return """
      SELECT s.ctid::text FROM \(plan.staging) AS s, unnest(\(arrays)) AS k (\(names))
      WHERE \(match.joined(" AND ")) AND \(ClaimSQL.isWanted(plan, in: .everything))
      """
  }
}
