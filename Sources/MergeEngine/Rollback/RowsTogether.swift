import Libpq

/// Deletes rows that refer to each other around a circle, in one table or over several: none can go before the others.
struct RowsTogether {
  private let tables: [(number: Int, batch: RollbackBatch)]
  private let connections: WorkerConnections

  private static let operation = "rolling back rows that refer to each other"

  /// - Parameter tables: those whose rows may be in circles, and which table of the rollback each is.
  init(_ tables: [(number: Int, batch: RollbackBatch)], on connections: WorkerConnections) {
    self.tables = tables
    self.connections = connections
  }

  var first: Int { tables[0].number }

  private var production: Connection { connections.production }

  /// The rows that nothing keeps but each other, in groups that can only go together, in the order in which they can go.
  ///
  /// Read without a lock: ``undo(_:besides:)`` looks again.
  ///
  /// - Parameter refused: for each table of the rollback the images that the server has refused to have taken back.
  func groups(without refused: [[UInt64]]) throws(PostgresError) -> [[ReferenceGraph.Row]] {
    let references = RowReferences(
      tables.map { .init(number: $0.number, sql: $0.batch.sql, rows: $0.batch.sql.untouchedInserted) }
    )
    try production.execute("BEGIN; \(RollbackSQL.allowsHashing(true))", Self.operation)
    let graph = try references.graph(
      without: Dictionary(uniqueKeysWithValues: tables.map { ($0.number, refused[$0.number]) }),
      isForecast: false,
      on: production
    )
    try production.execute("COMMIT", Self.operation)
    return graph.groups()
  }

  /// Deletes rows, in a transaction of its own; those that anything else refers to by now are left.
  ///
  /// The transaction is left as it is when it fails.
  ///
  /// - Parameter released: for each table of the rollback where staging rows lie that the next merge reads again already.
  /// - Returns: what was taken back, by table.
  func undo(_ rows: [ReferenceGraph.Row], besides released: [Set<UInt64>]) throws(PostgresError)
    -> [Int: RollbackBatch.Counts]
  {
    let images = Dictionary(grouping: rows, by: \.table)
    let parts = tables.filter { images[$0.number] != nil }
    try connections.execute("BEGIN", Self.operation)
    // Deferred constraints would speak up at the commit, when no row can be told from another any more.
    try production.execute("SET CONSTRAINTS ALL IMMEDIATE", Self.operation)
    for part in parts {
      _ = try part.batch.lockInserted(.rows(at: (images[part.number] ?? []).map(\.image)))
    }
    try production.execute(RollbackSQL.allowsHashing(true), Self.operation)
    while try leaveReferred(parts.map { $0.batch }) > 0 {}
    try production.execute(RollbackSQL.allowsHashing(false), Self.operation)
    try production.execute(RollbackSQL.deleteLocked(parts.map { $0.batch.sql }), Self.operation)
    var counts: [Int: RollbackBatch.Counts] = [:]
    for part in parts {
      try part.batch.takeDeleted()
      counts[part.number] = try part.batch.finish(Self.operation, besides: released[part.number])
    }
    try connections.commitStagingFirst(Self.operation)
    return counts
  }

  /// - Returns: how many rows are left that were to be deleted, because of a row that stays.
  private func leaveReferred(_ batches: [RollbackBatch]) throws(PostgresError) -> Int {
    var leftCount = 0
    for batch in batches {
      for reference in batch.table.references {
        let child = batches.first { reference.isFrom($0.table.entry.productionOid) }
        leftCount += try production.execute(
          batch.sql.leaveReferred(to: reference, unlessFrom: child?.sql),
          "looking for what refers to rows of \(batch.table.production)"
        )
      }
    }
    return leftCount
  }
}
