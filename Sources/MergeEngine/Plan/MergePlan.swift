import Libpq

/// What a run will do: its tables in order, and what was found about them.
struct MergePlan: Sendable {
  private(set) var tables: [TablePlan]
  /// For each table the tables that must be done before it, as indices into ``tables``.
  private(set) var parents: [[Int]]
  /// Tables that refer to themselves, directly or around a circle, as indices into ``tables``.
  let circular: Set<Int>
  private(set) var findings: [Finding]

  /// Whether values, or keys that are looked for, travel as text or are compared by it.
  var carriesText: Bool {
    tables.contains { table in
      table.columns.contains { $0.travel == .text } || table.keyColumns.contains(where: \.probesAsText)
        || table.ties?.columns.contains { $0.equality == nil } == true
    }
  }

  var blockers: [Finding] { findings.filter { $0.grade == .blocker } }
  var warnings: [Finding] { findings.filter { $0.grade == .warning } }

  /// Adds what was found about the tables when they were looked at more closely.
  mutating func add(_ findings: [Finding]) { self.findings += findings }

  /// Reads how rows with equal versions are compared, for all tables.
  mutating func compareTies(_ production: Connection) throws(PostgresError) {
    let places = tables.flatMap { table in
      table.columns.map { column in
        (
          place: EqualityOperators.Place(table: table.productionOid, column: column.name),
          type: column.baseType.oid
        )
      }
    }
    let operators = try EqualityOperators(places, production)
    for index in tables.indices { tables[index].ties = RowComparison(tables[index], operators) }
  }

  /// The versions that are merged of a table.
  mutating func limit(table index: Int, to window: VersionWindow) { tables[index].window = window }

  /// Has overwritten rows and inserted keys kept, in one table for each of ``tables``.
  mutating func keepImages(in images: [BeforeImageTable]) {
    for (index, image) in zip(tables.indices, images) { tables[index].images = image }
  }

  /// What is read of a table from now on.
  mutating func read(_ reading: TablePlan.Reading, table index: Int) { tables[index].reading = reading }

  /// The same plan for who leaves marks alone.
  var withoutMarks: MergePlan {
    var plan = self
    for index in tables.indices { plan.tables[index].marksRows = false }
    return plan
  }

  /// Lets every table's turn come at once: for commands that write nothing.
  mutating func forgetOrder() { parents = tables.map { _ in [] } }

  /// Says which staging rows are read, of all tables; marks are left alone.
  mutating func select(_ selection: (TablePlan) -> TablePlan.Selection) {
    for index in tables.indices {
      tables[index].selection = selection(tables[index])
      tables[index].marksRows = false
    }
  }

  /// Chooses the tables, resolves each, and orders them parents first.
  ///
  /// - Parameters:
  ///   - staging: the catalog of the database that holds staging.
  ///   - production: the catalog of the one that holds production; the same, mostly.
  ///   - isSplit: whether they are two.
  ///   - snapshot: where rows come from if not from staging; `staging` is then its catalog.
  init(
    staging: Catalog,
    production: Catalog,
    _ options: MergeOptions,
    isSplit: Bool,
    snapshot: SnapshotCatalog? = nil
  ) {
    let schemas = options.schemas
    let stagingSchema = snapshot == nil ? schemas.staging : SnapshotCatalog.schema
    var planner = TablePlanner(options, isSplit: isSplit, readsSnapshot: snapshot != nil)
    var findings: [Finding] = []
    var pairs: [(staging: CatalogTable, production: CatalogTable)] = []
    let stagingTables = staging.tables(in: stagingSchema)
    var seen: Set<String> = []
    for name in options.tables ?? stagingTables.map(\.name.name.name) where seen.insert(name).inserted {
      let stagingTable = staging.table(QualifiedName(schema: stagingSchema, name: name))
      let productionTable = production.table(QualifiedName(schema: schemas.production, name: name))
      switch (stagingTable, productionTable) {
      case (let stagingTable?, let productionTable?):
        pairs.append((stagingTable, productionTable))
      case (nil, _):
        findings.append(.blocker(name, "there is no staging table \(stagingSchema).\(name). Make it with init."))
      case (_?, nil) where options.tables == nil:
        findings.append(
          .warning(
            name,
            "\(stagingSchema).\(name) has no table of the same name in \(schemas.production): not merged."
          )
        )
      case (_?, nil):
        findings.append(
          .blocker(name, "\(stagingSchema).\(name) has no table of the same name in \(schemas.production).")
        )
      }
    }
    if pairs.isEmpty && findings.allSatisfy({ $0.grade != .blocker }) {
      findings.append(
        .blocker(
          nil,
          snapshot == nil
            ? "there is no table in the schema \(schemas.staging) that has a production table of the same name in "
              + "\(schemas.production). Make staging with init, or name the schemas: --staging-schema, "
              + "--production-schema."
            : "no table of the snapshot has a production table of the same name in \(schemas.production). Name the "
              + "production schema: --production-schema."
        )
      )
    }
    let plans = pairs.compactMap { planner.plan(staging: $0.staging, production: $0.production) }
    let order = TableOrder(plans.map(\.productionOid), in: production)
    tables = order.indices.map { plans[$0] }
    parents = order.parents
    circular = order.circular
    self.findings = findings + planner.findings
    guard let snapshot else { return }
    for index in tables.indices {
      tables[index].snapshot = snapshot.snapshot.file(of: tables[index].name).map {
        snapshot.tablePlan($0, number: index)
      }
    }
  }
}
