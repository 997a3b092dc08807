import Libpq

/// What a run will do: its tables in order, and what was found about them.
struct MergePlan: Sendable {
  private(set) var tables: [TablePlan]
  /// For each table the tables that must be done before it, as indices into ``tables``.
  private(set) var parents: [[Int]]
  /// Tables that refer to themselves, directly or around a circle, as indices into ``tables``.
  private(set) var circular: Set<Int>
  private(set) var findings: [Finding]
  /// Where staging of a table is, also of one that something stands against, by production's name.
  let stagingOfTable: [String: QualifiedName]
  /// The tables of which nobody knows what their staging is, by production's name.
  let undecided: Set<String>
  /// How many workers the server has room for; nil for as many as are asked for.
  private(set) var workerLimit: Int?

  /// For each table all that must be done before it, parents of parents included.
  var ancestors: [Set<Int>] {
    // Parents come first, so that theirs are complete when a child asks.
    parents.reduce(into: []) { found, parents in found.append(parents.reduce(Set(parents)) { $0.union(found[$1]) }) }
  }

  /// Whether values, or keys that are looked for, travel as text.
  var carriesText: Bool {
    tables.contains { table in
      table.columns.contains { $0.travel == .text } || table.keyColumns.contains(where: \.probesAsText)
    }
  }

  /// Whether the server compares values by their text, since their types have no equality.
  var comparesText: Bool {
    tables.contains { $0.writing.ties?.columns.contains { $0.equality == nil } == true }
  }

  /// Whether production is one of Citus, or part of it.
  var hasCitusTables: Bool { tables.contains { $0.citus != nil } }

  var blockers: [Finding] { findings.filter { $0.grade == .blocker } }
  var warnings: [Finding] { findings.filter { $0.grade == .warning } }

  /// Adds what was found about the tables when they were looked at more closely.
  mutating func add(_ findings: [Finding]) { self.findings += findings }

  /// Takes what stands against the merge out of the findings, to be judged.
  mutating func takeBlockers() -> [Finding] {
    defer { findings.removeAll { $0.grade == .blocker } }
    return blockers
  }

  /// Leaves tables out; the others keep their order.
  mutating func leaveOut(_ names: Set<String>) {
    let kept = tables.indices.filter { !names.contains(tables[$0].name) }
    let place = Dictionary(uniqueKeysWithValues: zip(kept, kept.indices))
    parents = kept.map { parents[$0].compactMap { place[$0] } }
    circular = Set(circular.compactMap { place[$0] })
    tables = kept.map { tables[$0] }
  }

  /// Lets no more than so many workers be at work.
  mutating func limitWorkers(to count: Int) { workerLimit = min(count, workerLimit ?? count) }

  /// Reads who may change or redirect rows on their way, for all tables.
  mutating func readTriggers(_ production: Connection) throws(PostgresError) {
    let triggers = try RowTriggers.read(of: tables.map(\.productionOid), production)
    for index in tables.indices { tables[index].writing.triggers = triggers[tables[index].productionOid] ?? .none }
  }

  /// Compares all production tables with the server's memory.
  mutating func readCacheFits(_ production: Connection) throws(PostgresError) {
    let fits = try CacheFit.read(of: tables.map(\.productionOid), production)
    for index in tables.indices { tables[index].reading.cacheFit = fits[tables[index].productionOid] ?? .unknown }
  }

  /// How many of the wanted workers there may be.
  func workerCount(of wanted: Int) -> Int { min(wanted, workerLimit ?? wanted) }

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
    for index in tables.indices {
      for column in tables[index].columns.indices {
        guard let expression = tables[index].columns[column].comparedExpression else { continue }
        tables[index].columns[column].readExpression = expression
      }
      tables[index].writing.ties = RowComparison(tables[index], operators)
    }
  }

  /// The versions that are merged of a table.
  mutating func limit(table index: Int, to window: VersionWindow) { tables[index].reading.window = window }

  /// Has a table's rows with such versions lie in no window.
  mutating func leaveOut(unreadableVersions: [UInt64], of index: Int) {
    tables[index].reading.unreadableVersions = unreadableVersions
  }

  /// Has a table's rows with such keys stand for no row of production.
  mutating func leaveOut(unreadableKeys: [UInt64], of index: Int) {
    tables[index].reading.unreadableKeys = unreadableKeys
  }

  /// Has overwritten rows and inserted keys kept, in one table for each of ``tables``.
  mutating func keepImages(in images: [BeforeImageTable]) {
    precondition(images.count == tables.count, "every table has one")
    for (index, image) in zip(tables.indices, images) { tables[index].writing.images = image }
  }

  /// What was found of a table's staging, and is read from now on.
  mutating func read(_ state: TablePlan.StagingState, table index: Int) { tables[index].reading.state = state }

  /// The same plan for who leaves marks alone.
  var withoutMarks: MergePlan {
    var plan = self
    for index in tables.indices { plan.tables[index].writing.marksRows = false }
    return plan
  }

  /// Lets every table's turn come at once: for commands that write nothing.
  mutating func forgetOrder() { parents = tables.map { _ in [] } }

  /// Says which staging rows are read, of all tables; marks are left alone.
  mutating func select(_ selection: (TablePlan) -> TablePlan.Selection) {
    for index in tables.indices {
      tables[index].reading.selection = selection(tables[index])
      tables[index].writing.marksRows = false
    }
  }

  /// Chooses the tables, resolves each, and orders them parents first.
  ///
  /// - Parameters:
  ///   - staging: the catalog of the database that holds staging.
  ///   - production: the catalog of the one that holds production; the same, mostly.
  ///   - isSplit: whether they are two.
  ///   - options: what is merged.
  ///   - snapshot: where rows come from if not from staging; `staging` is then its catalog, and the schemas of `options` are its own.
  init(
    staging: Catalog,
    production: Catalog,
    _ options: MergeOptions,
    isSplit: Bool,
    snapshot: SnapshotCatalog? = nil
  ) {
    var found: [Finding] = []
    var plans: [TablePlan] = []
    var stagingOfTable: [String: QualifiedName] = [:]
    var undecided: Set<String> = []
    for own in options.ofEachPair(staging: staging, production: production) {
      let label = { (table: String) in
        options.schemas.hasSeveralPairs ? "\(own.schemas.production).\(table)" : table
      }
      var planner = TablePlanner(
        own,
        casts: production.casts,
        stagingCasts: (isSplit ? staging : production).casts,
        inputSettings: (isSplit ? staging : production).inputSettings,
        isSplit: isSplit,
        readsSnapshot: snapshot != nil
      )
      let choice = TableChoice(
        staging: staging.tables(in: own.schemas.staging),
        production: production.tables(in: own.schemas.production),
        stagingSchema: own.schemas.staging,
        productionSchema: own.schemas.production,
        rules: own.columns,
        only: own.tables
      )
      undecided.formUnion(choice.undecided.map(label))
      for (table, name) in choice.stagingOfTable { stagingOfTable[label(table)] = name }
      for (from, into) in choice.pairs {
        guard var plan = planner.plan(staging: from, production: into) else { continue }
        plan.isOfSeveralPairs = options.schemas.hasSeveralPairs
        plans.append(plan)
      }
      found += (choice.findings + planner.findings).map { finding in
        Finding(grade: finding.grade, kind: finding.kind, table: finding.table.map(label), message: finding.message)
      }
    }
    self.stagingOfTable = stagingOfTable
    self.undecided = undecided
    if plans.isEmpty && found.allSatisfy({ $0.grade != .blocker }) {
      found.append(.blocker(.notFound, nil, Self.nothingToMerge(options.schemas, readsSnapshot: snapshot != nil)))
    }
    findings = found
    let order = TableOrder(plans.map(\.productionOid), in: production)
    tables = order.indices.map { plans[$0] }
    parents = order.parents
    circular = order.circular
    guard let snapshot else { return }
    for index in tables.indices {
      tables[index].reading.snapshot = snapshot.tablePlan(tables[index].staging, number: index)
    }
  }

  private static func nothingToMerge(_ schemas: Schemas, readsSnapshot: Bool) -> String {
    if schemas.hasSeveralPairs && !readsSnapshot {
      return
        "no pair of schemas (\(schemas.pairs.map(\.name).joined(separator: ", "))) has a table on both sides. Create staging with "
        + "init, or name the schemas: --pair STAGING=PRODUCTION."
    }
    return readsSnapshot
      ? "no table of the snapshot has a production table of the same name in \(schemas.allProduction.joined(separator: ", ")). Name the "
        + "production schema: --production-schema."
      : "there is no table in the schema \(schemas.staging) that has a production table of the same name in "
        + "\(schemas.production). Create staging with init, or name the schemas: --staging-schema, --production-schema."
  }
}
