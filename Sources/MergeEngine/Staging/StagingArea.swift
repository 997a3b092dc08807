import Libpq
import Logging

/// The staging tables that a merge would take: counted, and emptied.
///
/// The tables are settled once, when the area is made; every call then opens a connection of its own, since hours may lie
/// between two of them.
package struct StagingArea: Sendable {
  /// A table of the area.
  package struct Table: Sendable, Hashable {
    /// What a merge calls it: with production's schema where there are several pairs.
    package let name: String
    /// The columns of the key by which its rows are matched, by production's names.
    package let key: [String]
    /// The column with versions.
    package let versionColumn: String
    /// The version column's type.
    package let versionType: String
    /// Whether versions are times, so that a window of time can be cut out.
    package let versionIsTime: Bool
  }

  /// The rows of one table.
  package struct Count: Sendable, Hashable {
    /// What a merge calls the table.
    package let table: String
    /// What staging calls it, without its schema.
    package let stagingTable: String
    /// All rows.
    package let rows: Int
    /// Rows that are not merged.
    package let unmerged: Int
    /// Rows whose version is not between the lowest and the highest that were asked for, or is missing.
    package let outside: Int
  }

  /// What became of one table.
  package struct Emptied: Sendable, Hashable, Codable {
    /// What a merge calls the table.
    package let table: String
    /// How many rows it had, if it was truncated.
    package let truncated: Int?
    /// Why it was left as it is.
    package let reason: String?

    /// Says what became of a table.
    package init(table: String, truncated: Int?, reason: String?) {
      self.table = table
      self.truncated = truncated
      self.reason = reason
    }

    /// A sentence about a table that was left as it is.
    package var warning: String? { reason.map { "the staging table \(table) was not truncated: \($0)" } }
  }

  /// The tables, parents first.
  package let tables: [Table]
  private let plan: MergePlan
  private let session: Session
  private let timeZone: String

  /// Settles which tables a merge with these options would take.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` with everything that stands against a merge, ``MergeFailure/unreachable(_:)``.
  package init(
    target: ConnectionTarget,
    stagingTarget: ConnectionTarget?,
    options: MergeOptions,
    logger: Logger
  ) throws {
    var session = Session(target: target, stagingTarget: stagingTarget, options: options, logger: logger)
    // Counting takes as long as it takes.
    session.statementTimeoutMilliseconds = 0
    let control = try session.reachControl()
    let staging = try session.reachStaging(beside: control)
    let plan = try Preparation(options: options, logger: logger).plan(production: control, staging: staging)
    self.session = session
    self.plan = plan
    timeZone = options.timeZone
    tables = plan.tables.map { table in
      Table(
        name: table.name,
        key: table.keyColumns.map(\.name.name),
        versionColumn: table.version.name.name,
        versionType: table.version.baseType.fullName.text,
        versionIsTime: TypeOID.timestamps.union([TypeOID.date]).contains(table.version.baseType.oid)
      )
    }
  }

  /// Counts the rows of every table.
  package func counts(loaded span: LoadedSpan) throws -> [Count] {
    try counts { table, staging in
      let (lowest, highest) = (table.versionBound("$1::text"), table.versionBound("$2::text"))
      let version: SQL = "s.\(table.version.stagedName)"
      let load = try inZone(span).exact(as: table.version.baseType, staging).load
      return (
        "\(version) >= \(lowest) AND \(version) <= \(highest)", [.text(load.from), .text(load.to)]
      )
    }
  }

  /// Counts the rows of every table, where a load was asked for rows by their keys.
  ///
  /// - Parameter keys: what was asked for, by table and column. A load takes every combination of the columns' values.
  package func counts(ofKeys keys: [String: [[String: String]]]) throws -> [Count] {
    try counts { table, _ in
      let asked = keys[table.name] ?? []
      let conditions = table.keyColumns.indices.map { index -> SQL in
        let column = table.columns[index]
        let values: SQL = "SELECT k.v::\(column.baseType.uncutName) FROM unnest($\(index + 1)::text[]) AS k (v)"
        let value = column.baseType.collated("(\(column.readExpression))::\(column.baseType.uncutName)")
        return "\(value) \(column.equality) ANY (\(values))"
      }
      return (conditions.joined(" AND "), KeyTexts.parameters(table, asked))
    }
  }

  /// - Parameter wanted: of a table what its rows `s` must be like, and the values in that condition.
  private func counts(_ wanted: (TablePlan, Connection) throws -> (SQL, [Parameter])) throws -> [Count] {
    let (production, staging) = try connect()
    let reader = StagingReader(
      admin: Identifier(session.schemas.admin),
      production: production,
      staging: staging,
      hasLedger: try AdminSchema.hasProgress(Identifier(session.schemas.admin), production)
    )
    return try plan.tables.map { planned in
      var table = planned
      table.reading.window = .unbounded
      table.reading.state = try reader.look(at: table, isToBeMerged: false).state
      let (isWanted, parameters) = try wanted(table, staging)
      let row = try staging.query(
        """
        SELECT count(*), count(*) FILTER (WHERE \(ClaimSQL.isWanted(table, in: .everything))),
               count(*) FILTER (WHERE (\(isWanted)) IS NOT TRUE)
        FROM \(table.staging) AS s
        """,
        parameters,
        "counting \(table.staging)"
      )
      return Count(
        table: table.name,
        stagingTable: table.staging.name.name,
        rows: row.integer(0, 0) ?? 0,
        unmerged: (row.integer(0, 1) ?? 0) + table.reading.state.refused.count,
        outside: row.integer(0, 2) ?? 0
      )
    }
  }

  /// Sees that nobody merges these tables now.
  ///
  /// - Throws: ``MergeFailure/busy(table:by:)``.
  package func requireNoMerge() throws {
    try RunLocks(plan: plan, admin: session.schemas.admin).takeTables(try connect().production)
  }

  /// Empties every table, whatever is in it.
  package func truncate() throws -> [Emptied] { try cleanup(.always) }

  /// Empties the tables that have no row left to merge.
  ///
  /// - Parameters:
  ///   - span: what the last load brought; its rows outside of the window are not work that is left.
  ///   - runID: the run that has merged it.
  package func truncateMerged(after span: LoadedSpan?, ofRun runID: Int?) throws -> [Emptied] {
    try cleanup(.merged(except: span.map(inZone), ofRun: runID))
  }

  /// Deletes what the ledger says of rows that are gone for good.
  ///
  /// - Returns: how many entries were deleted.
  package func pruneLedger() throws -> Int {
    let (production, staging) = try connect()
    guard try AdminSchema.hasProgress(Identifier(session.schemas.admin), production) else { return 0 }
    return try LedgerPruning(admin: Identifier(session.schemas.admin), production: production, staging: staging)
      .prune(plan.tables)
  }

  private func inZone(_ span: LoadedSpan) -> LoadedSpan {
    var span = span
    span.timeZone = span.timeZone ?? timeZone
    return span
  }

  private func cleanup(_ rule: StagingCleanup.Rule) throws -> [Emptied] {
    let (production, staging) = try connect()
    return try StagingCleanup(
      plan: plan,
      rule: rule,
      admin: Identifier(session.schemas.admin),
      production: production,
      staging: staging
    ).truncate()
  }

  private func connect() throws -> (production: Connection, staging: Connection) {
    let production = try Reaching.database { () throws(PostgresError) in try session.connectControl() }
    let staging = try Reaching.database { () throws(PostgresError) in
      try session.connectStagingControl(beside: production)
    }
    return (production, staging)
  }
}
