import Libpq

/// The one list of what is asked about a merge before anything is written; `plan` and `merge` go through it alike.
///
/// A check says what is the matter, with which table, and what mends it. A new one is a line in one of the two lists.
struct Checks {
  let options: MergeOptions
  let purpose: Preparation.Purpose
  /// Whether the role may write nothing of what a merge writes: then whoever plans is not who will merge.
  let isReader: Bool
  let production: Connection
  /// The same connection if staging is in the same database.
  let staging: Connection
  private var lockTable: LockTable?

  init(
    _ plan: MergePlan,
    _ options: MergeOptions,
    _ purpose: Preparation.Purpose,
    production: Connection,
    staging: Connection
  ) throws {
    self.options = options
    self.purpose = purpose
    self.production = production
    self.staging = staging
    isReader = try purpose == .plan && AccessCheck.isReader(plan, production)
    try askAhead(plan)
    if writes { lockTable = try LockTable(plan, workerCount: options.workerCount, production) }
  }

  /// Whether what only a write needs is asked for.
  private var writes: Bool { purpose != .look && !isReader }

  /// What concerns the tables together.
  ///
  /// - Parameter blockers: what was found of single tables; then only what the role itself lacks is looked for besides.
  func ofRun(_ plan: inout MergePlan, blockers: [Finding]) throws -> [Finding] {
    let rights = try AccessCheck(schemas: options.schemas, readsOnly: !writes)
      .ofRole(production, writesNow: purpose == .merge)
    guard writes, rights.isEmpty, blockers.isEmpty, !plan.tables.isEmpty else { return rights }
    return try (lockTable?.limit(&plan) ?? [])
      + EventTriggers(plan: plan, options: options, connection: production).findings()
      + AdminAccess(options: options, plan: plan, connection: production).findings()
  }

  /// What concerns the tables one by one.
  func ofTables(_ plan: MergePlan) throws -> [Finding] { try plan.tables.flatMap(ofTable) }

  /// What concerns one table. Behind a check that blocks none is asked any more: it would only be about the same.
  private func ofTable(_ table: TablePlan) throws -> [Finding] {
    let checks: [(TablePlan) throws -> [Finding]] = [
      rights, locks, rowSecurity, rules, images, forgetfulChildren, readability, compositeFields, omittedDomains,
      inheritance, rehearsal, rowTriggers,
    ]
    var findings: [Finding] = []
    for check in checks {
      findings += try check(table)
      if findings.contains(where: { $0.grade == .blocker }) { break }
    }
    return findings
  }

  /// Has what is going to be asked about the tables answered in one trip to each database, as far as it is known beforehand.
  private func askAhead(_ plan: MergePlan) throws(PostgresError) {
    let oids = plan.tables.map(\.productionOid)
    var (ofProduction, ofStaging): ([Query], [Query]) = ([RowTriggers.query(oids)], [])
    if purpose != .look { ofProduction.append(CacheFit.query(oids)) }
    if purpose == .merge { ofProduction.append(SuperuserFindings.query(plan.tables)) }
    if writes {
      ofProduction.append(LockTable.partitions(plan))
      let isReplay = ReplayProgress(plan, options.schemas).isReplay
      ofProduction += [
        AccessCheck.ofRole, EventTriggers.query, AdminSchema(schemas: options.schemas).inventoryQuery,
        AccessCheck(schemas: options.schemas).ofAdmin(makesTables: options.beforeImages, replays: isReplay),
        RowSecurity.query(
          AdminAccess.writtenTables(options).map { QualifiedName(schema: options.schemas.admin, name: $0) }
        ),
      ]
    }
    for table in plan.tables {
      let access = AccessCheck(schemas: options.schemas, readsOnly: !writes)
      let rights = access.queries(table, keepsImages: writes && options.beforeImages)
      ofProduction += rights.production
      ofStaging += rights.staging
      let isTogether = staging === production && table.reading.snapshot == nil
      ofProduction.append(RowSecurity.query(isTogether ? [table.production, table.staging] : [table.production]))
      if writes { ofProduction.append(RewriteRules.query(table.production, [.insert, .update])) }
      if writes, options.beforeImages { ofProduction.append(RewriteRules.query(table.production, [.delete])) }
      ofStaging.append(Self.reading(table))
      if purpose == .merge {
        ofProduction += [ProductionFindings.indexes(table), ProductionFindings.triggers(table)]
      }
      guard table.reading.snapshot == nil else { continue }
      if purpose == .merge {
        ofStaging.append(StagingWriters.query(table.staging))
        if table.writing.marksRows { ofStaging.append(StagingFindings.triggersOnMarks(table)) }
        if !table.updatedColumns.isEmpty { ofStaging.append(EmptyColumns.query(table)) }
      }
      if !isTogether { ofStaging.append(RowSecurity.query([table.staging])) }
      if writes, table.writing.marksRows { ofStaging.append(RewriteRules.query(table.staging, [.update])) }
      if table.reading.mayHaveChildren { ofStaging.append(InheritanceChildren.ofStaging(table)) }
    }
    if staging === production {
      try production.ask(ahead: ofProduction + ofStaging)
    } else {
      try production.ask(ahead: ofProduction)
      try staging.ask(ahead: ofStaging)
    }
  }

  private func rights(_ table: TablePlan) throws -> [Finding] {
    try AccessCheck(schemas: options.schemas, readsOnly: !writes).ofTable(
      table,
      keepsImages: writes && options.beforeImages,
      production: production,
      staging: staging
    )
  }

  private func locks(_ table: TablePlan) -> [Finding] {
    (lockTable?.obstacle(table)).map { [.blocker(.lockTable, table.name, $0)] } ?? []
  }

  private func rowSecurity(_ table: TablePlan) throws -> [Finding] {
    let security = RowSecurity(table: table.name)
    guard table.reading.snapshot == nil else { return try security.findings(on: [table.production], production) }
    guard staging !== production else { return try security.findings(on: [table.production, table.staging], staging) }
    return try security.findings(on: [table.production], production) + security.findings(on: [table.staging], staging)
  }

  private func rules(_ table: TablePlan) throws -> [Finding] {
    guard writes else { return [] }
    let rules = RewriteRules(table: table.name)
    return try rules.findings(on: table.production, [.insert, .update], production)
      + (table.writing.marksRows ? rules.findings(on: table.staging, [.update], staging) : [])
  }

  private func images(_ table: TablePlan) throws -> [Finding] {
    guard writes, options.beforeImages else { return [] }
    let obstacles = [
      BeforeImageTable.widthObstacle(table), BeforeImageTable.triggerObstacle(table),
      table.citus?.obstacleOfImages(of: table.production),
    ]
    return try obstacles.compactMap(\.self).map { .blocker(.beforeImages, table.name, $0) }
      + RewriteRules(table: table.name).findings(on: table.production, [.delete], production)
  }

  /// Rows of other tables that a foreign key makes forget what they referred to, newer ones too; and no image keeps that.
  private func forgetfulChildren(_ table: TablePlan) throws(PostgresError) -> [Finding] {
    guard writes, table.writing.triggers.takesReferences else { return [] }
    let updated = table.updatedColumns.map(\.name)
    return try Reference.read(to: table.productionOid, production)
      .filter { $0.forgetsOnUpdate && !Set($0.parentColumns).isDisjoint(with: updated) }
      .map { reference in
        let columns = reference.parentColumns.map(\.name).joined(separator: ", ")
        return .warning(
          options.beforeImages ? .beforeImages : .forgetfulReference,
          table.name,
          "where \(columns) of a row is updated, rows of \(reference.child) that refer to it lose that, newer ones too (ON UPDATE SET NULL or SET "
            + "DEFAULT)." + (options.beforeImages ? " No before-image keeps them, and a rollback leaves them so." : "")
        )
      }
  }

  private func rowTriggers(_ table: TablePlan) throws -> [Finding] {
    guard writes else { return [] }
    return try TriggerFindings(table: table, isAtomic: options.atomic, connection: production).all()
  }

  private static func reading(_ table: TablePlan) -> Query {
    Query(
      "SELECT \(ClaimSQL.outputs(table)) FROM \(table.reading.snapshot?.example ?? table.batchSource) AS s LIMIT 0",
      "reading \(table.staging)"
    )
  }

  /// Has the server read no row at all by the statement that will read them all: casts that don't exist show here.
  private func readability(_ table: TablePlan) throws -> [Finding] {
    do {
      _ = try staging.query(Self.reading(table))
      return []
    } catch {
      guard error.refusesStatement else { throw error }
      return [
        .blocker(
          .unreadableTypes,
          table.name,
          "\(table.staging) can't be read as the types of \(table.production): \(error.message)"
            + (error.sqlState.map { " (SQLSTATE \($0))" } ?? "") + "."
        )
      ]
    }
  }

  private func compositeFields(_ table: TablePlan) throws -> [Finding] {
    try CompositeFields(table: table, production: production, staging: staging).findings()
  }

  private func omittedDomains(_ table: TablePlan) throws -> [Finding] {
    try OmittedDomains(table: table, production: production).findings()
  }

  private func inheritance(_ table: TablePlan) throws -> [Finding] {
    try InheritanceChildren(table: table, production: production, staging: staging).findings()
  }

  private func rehearsal(_ table: TablePlan) throws -> [Finding] {
    guard writes else { return [] }
    return try WriteRehearsal(table: table, production: production, staging: staging).findings()
  }
}

extension PostgresError {
  /// The server won't do what it was asked to, now or later: nothing that waiting or connecting anew would change.
  var refusesStatement: Bool {
    origin == .server && sqlState?.isWorthRetrying == false && sqlState != .queryCanceled
  }
}
