import Libpq
import Logging

/// The tables that are merged on the nodes, as the coordinator knows them: production distributed by a column, staging beside it.
struct DistributedTables: Sendable {
  /// A table and its staging.
  struct Table: Sendable {
    /// As the user knows it.
    let name: String
    let production: CatalogTable
    let staging: CatalogTable
    /// What the file says of it.
    let rules: ColumnRules.TableRules?

    /// Why it can't be merged on the nodes; nil if it can.
    var obstacle: String? {
      CitusTable.obstacleOnNodes(
        production: (production.name, production.citus),
        staging: (staging.name, staging.citus)
      )
    }
  }

  /// What there is, before it is known what stands against it.
  private struct Choice {
    let catalog: Catalog
    var tables: [Table] = []
    var findings: [Finding] = []
    var mistakes: [String] = []
  }

  /// Parents first.
  let tables: [Table]
  /// What should be known though it stops nothing.
  let warnings: [Finding]

  /// - Parameters:
  ///   - writes: whether shards have to be kept where they are, which is not everybody's right.
  ///   - connection: to the coordinator.
  /// - Throws: ``MergeFailure/blocked(_:)`` with all that stands against it, ``MergeFailure/configuration(_:)``.
  init(_ options: MergeOptions, writes: Bool, logger: Logger, _ connection: Connection) throws {
    try Preparation(options: options, logger: logger, purpose: .look)
      .requireSchemas(production: connection, staging: connection)
    let choice = try Self.choice(options, connection)
    guard choice.mistakes.isEmpty else { throw MergeFailure.configuration(choice.mistakes) }
    let chosen = choice.tables
    let found =
      choice.findings
      + chosen.compactMap { table in table.obstacle.map { .blocker(.tableShape, table.name, $0) } }
    let blockers = found.filter { $0.grade == .blocker }
    let judgement = try Judgement(blockers) { name in
      guard let staging = chosen.first(where: { $0.name == name })?.staging.name else { return false }
      // Citus knows no rows without columns.
      return try connection.query(
        "SELECT count(*) FROM (SELECT 1 FROM \(staging) LIMIT 1) AS row",
        "looking whether \(staging) has rows"
      ).integer(0, 0) == 0
    }
    let left = chosen.filter { !judgement.tables.contains($0.name) }
    var standing = judgement.blockers + (writes ? try Self.foreign(left, connection) : [])
    if standing.isEmpty, left.isEmpty {
      standing = [
        .blocker(
          .notFound,
          nil,
          "no table is distributed together with its staging table. merge-engine init --on-nodes makes staging so."
        )
      ]
    }
    guard standing.isEmpty else { throw MergeFailure.blocked(standing) }
    warnings = found.filter { $0.grade == .warning } + judgement.warnings
    tables = Self.ordered(left, choice.catalog)
  }

  /// Those that lie side by side already, whatever stands beside them; without Citus, and on a node of it, there are none.
  ///
  /// - Parameter connection: to the coordinator.
  init(lyingSideBySide options: MergeOptions, _ connection: Connection) throws {
    warnings = []
    let isInstalled = try connection.query("SELECT \(CitusTable.isInstalled)", "looking for Citus").bool(0, 0) == true
    guard isInstalled, try CitusNode.isCoordinator(connection) else {
      tables = []
      return
    }
    let choice = try Self.choice(options, connection)
    tables = Self.ordered(choice.tables.filter { $0.obstacle == nil }, choice.catalog)
  }

  private static func choice(_ options: MergeOptions, _ connection: Connection) throws -> Choice {
    let catalog = try Catalog(connection, schemas: options.schemas.allStaging + options.schemas.allProduction)
    var choice = Choice(catalog: catalog)
    for own in options.ofEachPair(staging: catalog, production: catalog) {
      let label = { (table: String) in
        options.schemas.hasSeveralPairs ? "\(own.schemas.production).\(table)" : table
      }
      let (staging, production) = (catalog.tables(in: own.schemas.staging), catalog.tables(in: own.schemas.production))
      choice.mistakes += own.columns.mistakes(production: production, staging: staging)
      let pairs = TableChoice(
        staging: staging,
        production: production,
        stagingSchema: own.schemas.staging,
        productionSchema: own.schemas.production,
        rules: own.columns,
        only: own.tables
      )
      choice.findings += pairs.findings.map { finding in
        Finding(grade: finding.grade, kind: finding.kind, table: finding.table.map(label), message: finding.message)
      }
      for pair in pairs.pairs {
        choice.tables.append(
          Table(
            name: label(pair.production.name.name.name),
            production: pair.production,
            staging: pair.staging,
            rules: own.columns.tables[pair.production.name.name.name]
          )
        )
      }
    }
    return choice
  }

  /// Parents first.
  private static func ordered(_ tables: [Table], _ catalog: Catalog) -> [Table] {
    TableOrder(tables.map(\.production.oid), in: catalog).indices.map { tables[$0] }
  }

  /// Tables whose shards the role may not keep where they are: Citus lets nobody but their owner.
  private static func foreign(_ tables: [Table], _ connection: Connection) throws -> [Finding] {
    let rows = try connection.query(
      """
      SELECT c.oid, pg_get_userbyid(c.relowner) FROM pg_class c
      WHERE c.oid::text = ANY ($1::text[]) AND NOT pg_has_role(c.relowner, 'USAGE')
      ORDER BY c.oid
      """,
      [.textArray(tables.flatMap { ["\($0.staging.oid)", "\($0.production.oid)"] })],
      "reading who owns the tables"
    )
    return (0..<rows.count).compactMap { row in
      let (oid, owner) = (UInt32(rows.integer(row, 0) ?? 0), rows.text(row, 1) ?? "")
      guard let table = tables.first(where: { $0.staging.oid == oid || $0.production.oid == oid }) else { return nil }
      let name = table.staging.oid == oid ? table.staging.name : table.production.name
      return .blocker(
        .missingRight,
        table.name,
        "\(name) belongs to \(owner), and Citus lets only its owner keep shards from being moved under a batch "
          + "(lock_shard_metadata). Merge as a member of that role, on all nodes, or without --on-nodes."
      )
    }
  }

  /// Where the shards of all tables lie now.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` also when `connection` leads to another node than the coordinator: the locks of a merge
  ///   through the coordinator are there.
  func placements(_ connection: Connection) throws -> [ShardPlacement] {
    guard try CitusNode.isCoordinator(connection) else {
      throw MergeFailure.blocked([.blocker(nil, "this is a node of a Citus cluster: connect to its coordinator.")])
    }
    do {
      return try ShardPlacement.read(tables.map { ($0.staging.oid, $0.production.oid) }, connection)
    } catch let shard as ShardPlacement.Unusable {
      throw MergeFailure.blocked([.blocker(.tableShape, tables[shard.placement.table].name, "\(shard)")])
    }
  }

  /// The locks that a merge through the coordinator would take.
  func locks(admin: String) -> RunLocks {
    RunLocks(tables: tables.map { ($0.name, $0.production.oid) }, admin: admin)
  }

  /// What the run's record on the coordinator says of them.
  func recorded(_ options: MergeOptions) -> [RecordedTable] {
    tables.map {
      RecordedTable(
        name: $0.name,
        production: $0.production.name,
        stagingSchema: $0.staging.name.schema.name,
        window: VersionWindow(from: options.from, to: options.to)
      )
    }
  }
}
