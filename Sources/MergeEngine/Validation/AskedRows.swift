import Foundation
import Libpq
import Logging

/// Rows that Oracle was asked for one by one, after what it has of them was loaded and merged: which of them differ still,
/// and which Oracle has no more.
///
/// | staging (what Oracle has) | production | outcome |
/// |---|---|---|
/// | the row | the same, or newer | mended |
/// | the row | none, older, or other values | remains |
/// | none | none | mended |
/// | none | the row, as it was before the load | extra |
/// | none | the row, written since the load began | remains: CDC may have brought it from Oracle |
package struct AskedRows: Sendable {
  /// Rows that differ still, or that Oracle has no more.
  package struct Row: Sendable, Encodable {
    /// Production's table.
    package let table: String
    /// The key's columns as text.
    package let key: [String: String]
    /// Why it counts.
    package let reason: String
    /// The columns that differ; none for rows that only one side has.
    package let columns: [String]
  }

  /// What became of all of them.
  package struct Outcome: Sendable, Encodable {
    /// Rows that Oracle was asked for.
    package internal(set) var asked = 0
    /// Rows that are the same on both sides by now, or newer in production.
    package internal(set) var mended = 0
    /// Rows that differ still.
    package internal(set) var remaining: [Row] = []
    /// How many rows production has and Oracle has no more.
    package internal(set) var extra = 0
    /// The file with those, for `repair`; nil where there is none.
    package internal(set) var extraFile: String?

    /// Nothing was asked for.
    package init() {}

    private enum CodingKeys: String, CodingKey {
      case asked, mended, remaining, extra
      case extraFile = "extra_file"
    }
  }

  private let session: Session
  private let options: MergeOptions
  private let logger: Logger

  /// Keys that are looked up at once. Arbitrary.
  private static let pieceKeyCount = 1000

  /// - Parameters:
  ///   - target: the database that holds production.
  ///   - stagingTarget: the one that holds staging, if it is another.
  ///   - options: schemas, columns and zone; the tables are those with keys.
  ///   - logger: gets the server's notices.
  package init(target: ConnectionTarget, stagingTarget: ConnectionTarget?, options: MergeOptions, logger: Logger) {
    session = Session(
      target: target,
      stagingTarget: stagingTarget,
      options: options,
      isReadOnly: true,
      logger: logger
    )
    self.options = options
    self.logger = logger
  }

  /// What tells rows that were there before a load from those that were written since: to be asked before the load.
  package func horizon() throws -> String {
    let row = try session.reachControl().query(
      "SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296)::text",
      "checking which rows production has before the load"
    )
    return row.text(0, 0) ?? "3"
  }

  /// Looks at all of them; blocks the calling thread.
  ///
  /// - Parameters:
  ///   - keys: by table, the key's columns as text.
  ///   - rowCounts: rows in staging when the load was judged: with fewer nobody can say what Oracle lacks.
  ///   - horizon: what ``horizon()`` said before the load.
  ///   - path: the file for rows that Oracle has no more; written only if there are any.
  /// - Throws: ``MergeFailure``, ``PostgresError``, ``AtomicFile/Failure`` for a file that can't be written.
  package func outcome(
    _ keys: [String: [[String: String]]],
    rowCounts: [String: Int],
    horizon: String,
    path: String
  ) throws -> Outcome {
    let production = try session.reachControl()
    let staging = try session.reachStaging(beside: production)
    var merge = options
    merge.tables = keys.keys.sorted()
    merge.from = nil
    merge.to = nil
    let plan = try Preparation(options: merge, logger: logger, purpose: .look)
      .plan(production: production, staging: staging)
    var outcome = Outcome()
    var extra: [Difference] = []
    for table in plan.tables {
      let reader = AskedRowReader(plan: table, pair: table.pair.name, production, staging)
      try reader.requireWhole(rowCounts[table.name] ?? 0)
      let asked = keys[table.name] ?? []
      outcome.asked += asked.count
      for start in stride(from: 0, to: asked.count, by: Self.pieceKeyCount) {
        let piece = Array(asked[start..<min(start + Self.pieceKeyCount, asked.count)])
        for standing in try reader.standings(piece, horizon: horizon) {
          switch standing {
          case .mended: outcome.mended += 1
          case .remains(let row): outcome.remaining.append(row)
          case .extra(let difference): extra.append(difference)
          }
        }
      }
    }
    outcome.extra = extra.count
    if !extra.isEmpty {
      try write(extra, keys, plan, to: path, production, staging)
      outcome.extraFile = path
    }
    return outcome
  }

  /// Finds out before the work is done whether the file can be written.
  package static func check(path: String) throws {
    do {
      try AtomicFile(path: path, permissions: 0o600).check()
    } catch {
      throw MergeFailure.blocked([.blocker(nil, "the file of rows that Oracle no longer has, \(error)")])
    }
  }

  private func write(
    _ extra: [Difference],
    _ keys: [String: [[String: String]]],
    _ plan: MergePlan,
    to path: String,
    _ production: Connection,
    _ staging: Connection
  ) throws {
    let isElsewhere = staging !== production
    let tables = try plan.tables.map { table in
      DifferenceFile.Header.Table(
        pair: table.pair.name,
        table: table.plainName,
        staging: try StagingSource(table.staging, isElsewhere: isElsewhere, staging).contentIdentity,
        from: nil,
        to: nil,
        askedKeyCount: keys[table.name]?.count ?? 0,
        columns: table.renamedColumns
      )
    }
    let header = DifferenceFile.Header(
      writtenAt: Date().formatted(Date.ISO8601FormatStyle()),
      database: try .init(production),
      runID: try LastRun.read(production, options.schemas)?.id,
      timeZone: options.timeZone,
      tables: tables
    )
    let writer = try DifferenceWriter(AtomicFile(path: path, permissions: 0o600), header)
    do {
      try writer.write(extra)
      try writer.finish()
    } catch {
      writer.abandon()
      throw error
    }
  }
}

/// Reads both sides of rows of one table, by their keys.
struct AskedRowReader {
  enum Standing {
    case mended
    case remains(AskedRows.Row)
    case extra(Difference)
  }

  private let plan: TablePlan
  private let pair: String
  private let production: Connection
  private let staging: Connection

  init(plan: TablePlan, pair: String, _ production: Connection, _ staging: Connection) {
    self.plan = plan
    self.pair = pair
    self.production = production
    self.staging = staging
  }

  /// Production's side of a row.
  private struct Found {
    let ctid: String
    let xmin: String
    let isNewer: Bool
    /// Nobody has written it since the load began.
    let isOld: Bool
    let values: [String?]
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` when rows of the load are gone.
  func requireWhole(_ rowCount: Int) throws {
    let count =
      try staging.query("SELECT count(*) FROM \(plan.staging)", "counting \(plan.staging)").integer(0, 0) ?? 0
    guard count < rowCount else { return }
    throw MergeFailure.blocked([
      .blocker(
        plan.name,
        "staging has \(Numbers.counted(count, "row")), and \(rowCount) were loaded, so it is no longer known which rows Oracle lacks. Run "
          + "merge-engine reload --from-validation --truncate again."
      )
    ])
  }

  func standings(_ keys: [[String: String]], horizon: String) throws(PostgresError) -> [Standing] {
    let staged = try stagingRows(keys)
    let found = try productionRows(keys, versions: staged.map { $0?[plan.versionIndex] ?? nil }, horizon: horizon)
    return keys.indices.map { standing(keys[$0], staged: staged[$0], found: found[$0]) }
  }

  private func standing(_ key: [String: String], staged: [String?]?, found: Found?) -> Standing {
    guard let staged else {
      guard let found else { return .mended }
      guard found.isOld else {
        return remains(
          key,
          "Oracle lacked it when it was asked, and production has been written since: look again later"
        )
      }
      return .extra(extra(key, found))
    }
    guard let found else {
      return remains(key, "production still lacks it: merge-engine errors list shows whether it was refused")
    }
    if found.isNewer { return .mended }
    let columns = plan.columns.indices.filter { !FailureText.isSame(staged[$0], found.values[$0]) }
      .map { plan.columns[$0] }
    guard !columns.isEmpty else { return .mended }
    let isMeant = columns.allSatisfy(\.isInsertOnly)
    return remains(
      key,
      isMeant
        ? "these columns are written only when a row is inserted (insert_only_columns)" : "production has other values",
      columns.map(\.name.name)
    )
  }

  private func remains(_ key: [String: String], _ reason: String, _ columns: [String] = []) -> Standing {
    .remains(AskedRows.Row(table: plan.name, key: key, reason: reason, columns: columns))
  }

  private func extra(_ key: [String: String], _ found: Found) -> Difference {
    Difference(
      pair: pair,
      table: plan.plainName,
      kind: .extra,
      // As production writes it: 07 and 7 are the same number.
      key: Dictionary(
        uniqueKeysWithValues: plan.keyColumns.indices.map { (plan.columns[$0].name.name, found.values[$0] ?? "") }
      ),
      stagingVersion: nil,
      productionVersion: found.values[plan.versionIndex],
      columns: [],
      stagingRow: nil,
      productionRow: .init(ctid: found.ctid, xmin: found.xmin)
    )
  }

  /// What Oracle has: the values of all columns as production would have them, as text; the newest row of a key.
  private func stagingRows(_ keys: [[String: String]]) throws(PostgresError) -> [[String?]?] {
    let values = plan.columns.map { "((\($0.readExpression))::\($0.baseType.fullName))::text" as SQL }
    let match = plan.keyColumns.indices.map { index -> SQL in
      let column = plan.columns[index]
      let value: SQL = "(\(column.readExpression))::\(column.baseType.uncutName)"
      return "\(value) \(column.equality) \(column.baseType.collated("k.k\(index)::\(column.baseType.uncutName)"))"
    }
    let version = plan.version
    let rows = try staging.query(
      """
      SELECT DISTINCT ON (k.ordinal) k.ordinal::bigint, \(values.joined(", "))
      FROM \(KeyTexts.source(plan)) JOIN \(plan.staging) AS s ON \(match.joined(" AND "))
      ORDER BY k.ordinal, (\(version.readExpression))::\(version.baseType.fullName) DESC NULLS LAST
      """,
      KeyTexts.parameters(plan, keys),
      "reading rows of \(plan.staging) by their keys"
    )
    var staged = [[String?]?](repeating: nil, count: keys.count)
    for row in 0..<rows.count {
      guard let ordinal = rows.integer(row, 0), staged.indices.contains(ordinal - 1) else { continue }
      staged[ordinal - 1] = plan.columns.indices.map { rows.text(row, $0 + 1) }
    }
    return staged
  }

  private func productionRows(_ keys: [[String: String]], versions: [String?], horizon: String) throws(PostgresError)
    -> [Found?]
  {
    let values = plan.columns.map { "p.\($0.name)::text" as SQL }
    let version = plan.version
    let staged: SQL = "CASE WHEN k.version <> '' THEN k.version::\(version.baseType.fullName) END"
    let rows = try production.query(
      """
      SELECT k.ordinal::bigint, p.ctid::text, p.xmin::text, coalesce(p.\(version.name) > \(staged), false),
             \(Horizon.isOlder("p.xmin", than: "age(\(Literal(horizon))::xid)")), \(values.joined(", "))
      FROM \(KeyTexts.source(plan, and: "version")) JOIN \(plan.production) AS p ON \(KeyTexts.match(plan))
      """,
      KeyTexts.parameters(plan, keys) + [.textArray(versions.map { $0 ?? "" })],
      "reading rows of \(plan.production) by their keys"
    )
    var found = [Found?](repeating: nil, count: keys.count)
    for row in 0..<rows.count {
      guard let ordinal = rows.integer(row, 0), found.indices.contains(ordinal - 1) else { continue }
      found[ordinal - 1] = Found(
        ctid: rows.text(row, 1) ?? "",
        xmin: rows.text(row, 2) ?? "",
        isNewer: rows.bool(row, 3) == true,
        isOld: rows.bool(row, 4) == true,
        values: plan.columns.indices.map { rows.text(row, $0 + 5) }
      )
    }
    return found
  }
}
