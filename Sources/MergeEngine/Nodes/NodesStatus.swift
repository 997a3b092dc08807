import Libpq
import Logging

/// Where staging and the runs stand, wherever staging lies: the coordinator counts ordinary tables, and every node its own shards.
package enum NodesStatus {
  /// Reads the status; closes runs whose process has died on the way.
  ///
  /// - Parameters: as ``MergeStatus/read(target:schemas:tables:columns:runLimit:logger:stop:)``, and how the nodes are reached.
  /// - Throws: ``MergeFailure`` or ``PostgresError``.
  package static func read(
    target: ConnectionTarget,
    addresses: NodeAddresses,
    schemas: Schemas,
    tables: [String]?,
    columns: ColumnRules = ColumnRules(),
    runLimit: Int = 5,
    logger: Logger,
    stop: StopSignal = StopSignal()
  ) throws -> MergeStatus {
    let status = try MergeStatus.read(
      target: target,
      schemas: schemas,
      tables: tables,
      columns: columns,
      runLimit: runLimit,
      logger: logger,
      stop: stop
    )
    guard !status.ofCitus.isEmpty else { return status }
    var options = MergeOptions()
    (options.schemas, options.tables, options.columns) = (schemas, tables, columns)
    let nodes = try StagingOnNodes(target: target, addresses: addresses, options: options, logger: logger, stop: stop)
    let names = nodes.tables.tables.map(\.name)
    let counts = try nodes.each { try count($0, logger, stop) }
    let left = status.ofCitus.filter { !names.contains($0) }
    for table in left {
      logger.warning(
        "staging is distributed by Citus, but not beside production: its rows are not counted",
        metadata: ["table": "\(table)"]
      )
    }
    func anywhere(_ tables: KeyPath<StagingStatus.Counts, [String]>) -> [String] {
      let found = Set(counts.flatMap { share, counts in counts[keyPath: tables].map { share.names.table($0) } })
      return names.filter(found.contains)
    }
    return status.adding(
      names.map { sum($0, counts) },
      readOtherwise: anywhere(\.readOtherwise),
      ofFormerKeys: anywhere(\.ofFormerKeys),
      leaving: left
    )
  }

  private static func count(_ share: NodeShare, _ logger: Logger, _ stop: StopSignal) throws -> StagingStatus.Counts {
    let (schemas, options) = (share.options.schemas, share.options)
    let connection = try Session(target: share.target, schemas: schemas, logger: logger).reachControl()
    return try stop.covering(connection) {
      try StagingStatus.read(connection, schemas, options.columns, only: options.tables)
    }
  }

  private static func sum(_ table: String, _ counts: [(share: NodeShare, value: StagingStatus.Counts)])
    -> StagingStatus
  {
    let shards = counts.flatMap { share, counts in counts.counted.filter { share.names.table($0.table) == table } }
    return StagingStatus(
      table: table,
      total: shards.reduce(0) { $0 + $1.total },
      pending: shards.reduce(0) { $0 + $1.pending },
      processed: shards.reduce(0) { $0 + $1.processed },
      errors: shards.reduce(0) { $0 + $1.errors }
    )
  }
}
