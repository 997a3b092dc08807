import Libpq
import Logging

/// Which staging tables a rollback can have read again. That one can't is told, and stops nothing.
struct StagingMatch {
  let options: MergeOptions
  let logger: Logger

  /// - Returns: for each table how its staging rows are found, or nil; and why not.
  func plans(_ plan: RollbackPlan, _ connections: WorkerConnections) throws
    -> (plans: [TablePlan?], warnings: [String])
  {
    // The run's own rules may have come from its command line.
    let reader = StagingReader(
      admin: Identifier(options.schemas.admin),
      production: connections.production,
      staging: connections.staging,
      underAnyRules: true
    )
    let isSplit = connections.staging !== connections.production
    let production = try Catalog(
      connections.production,
      schemas: options.schemas.allStaging + Set(plan.tables.map(\.production.schema.name)).sorted()
    )
    let staging = isSplit ? try Catalog(connections.staging, schemas: options.schemas.allStaging) : production
    let ofEach = options.ofEachPair(staging: staging, production: production)
    var plans: [TablePlan?] = []
    var warnings: [String] = []
    for table in plan.tables {
      let own = ofEach.first { $0.schemas.production == table.production.schema.name }
      var options = own ?? options
      if own == nil, let pair = options.schemas.pairs.first(where: { $0.production == table.production.schema.name }) {
        options.schemas = options.schemas.of(pair)
      }
      // The run's key, whatever the settings say now.
      options.columns.tables[table.production.name.name, default: ColumnRules.TableRules()].key = table.key.map(
        \.name.name
      )
      let read = try RunReading(of: table, admin: Identifier(options.schemas.admin), connections.production)
      let names = StagingNames(
        options.columns,
        staging: staging.tables(in: options.schemas.staging),
        production: production.tables(in: table.production.schema.name)
      )
      let name = QualifiedName(
        schema: Identifier(options.schemas.staging),
        name: names.stagingName(of: table.production.name)
      )
      var planner = TablePlanner(
        options,
        casts: production.casts,
        stagingCasts: staging.casts,
        inputSettings: staging.inputSettings,
        isSplit: isSplit,
        readsSnapshot: false
      )
      var match: TablePlan? =
        if let present = read.staging(in: staging) ?? staging.table(name),
          let target = production.table(table.production)
        {
          planner.plan(staging: present, production: target)
        } else {
          nil
        }
      var reason =
        match == nil
        ? planner.findings.first { $0.grade == .blocker }?.message ?? "the table \(name) no longer exists." : nil
      if let found = match, !isSplit {
        let unreadable = try UnreadableRows.keys(of: found, connections.staging).find()
        match?.reading.unreadableKeys = unreadable ?? []
        if unreadable == nil {
          match = nil
          reason = "more than \(UnreadableRows.limit.rows) of \(name) have keys that \(table.production) can't have."
        }
      }
      if let found = match { try read.requireKey(of: found, table) }
      if let found = match { match?.reading.state = try reader.look(at: found, isToBeMerged: false).state }
      plans.append(match)
      if let reason { warnings.append("no staging rows of \(table.name) will be read again: \(reason)") }
    }
    return (plans, warnings)
  }
}
