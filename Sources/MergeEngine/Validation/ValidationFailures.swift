import Foundation
import Libpq
import Logging
import Spelling

/// Reads what DMS's own validation has found, and looks at each of it again in production: CDC may have mended it since.
///
/// ```
/// awsdms_validation_failures_v1, _v2 ─▶ the latest of each key ─▶ production's row now ─▶ stands, changed, mended
/// ```
/// Only reads.
package struct ValidationFailures: Sendable {
  /// What is read.
  package struct Options: Sendable {
    /// The schemas.
    package var schemas = Schemas()
    /// Only these tables of production; nil for all.
    package var tables: [String]?
    /// What the file says of single tables, their keys too.
    package var columns = ColumnRules()
    /// The names on Oracle's side of tables that have others there, by production's name.
    package var sources: [String: SourceName] = [:]
    /// Oracle's schema of all other tables, by production's schema, as far as it is known.
    package var sourceSchemas: [String: String] = [:]
    /// The only table of DMS's to read, with or without its schema; nil for all there are.
    package var failureTable: String?
    /// Only what this task has found: its ARN, or the last part of it.
    package var task: String?

    /// Everything of every table.
    package init() {}
  }

  /// A table on Oracle's side; in double quotes a name keeps its case, which does not matter here.
  package struct SourceName: Sendable, Hashable {
    /// Its schema; nil for the usual one.
    package var schema: String?
    /// Its name; nil for production's.
    package var table: String?

    /// Makes a name.
    package init(schema: String?, table: String?) {
      self.schema = schema
      self.table = table
    }
  }

  private let session: Session
  private let options: Options

  /// Failures that are read, and looked at in production, at once. Arbitrary.
  private static let pieceRowCount = 1000
  /// Names of missing tables in a finding. Arbitrary.
  private static let shownNameCount = 5

  /// - Parameters:
  ///   - target: the database that holds production: validation writes beside what it compares.
  ///   - options: what to read.
  ///   - logger: gets the server's notices.
  package init(target: ConnectionTarget, options: Options, logger: Logger) {
    session = Session(target: target, schemas: options.schemas, isReadOnly: true, logger: logger)
    self.options = options
  }

  /// Reads everything there is; blocks the calling thread.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` without a table of failures, for one of an unknown form, and for words in it that
  ///   have no meaning; ``MergeFailure/unreachable(_:)``; ``PostgresError``.
  package func read() throws -> ValidationReport {
    let connection = try session.reachControl()
    for schema in options.schemas.allProduction {
      try SchemaCheck(connection).require(schema, advice: "Name the production schema: --production-schema.")
    }
    let sources = try FailureTable.find(options.failureTable, connection)
    let names = FailedTableNames(try Catalog(connection, schemas: options.schemas.allProduction), options)
    try names.requireKnown(options.tables)
    var report = ValidationReport()
    report.sources = sources.map { .init(table: "\($0.name)", version: $0.version) }
    var missing: Set<String> = []
    var ambiguous: [String: [String]] = [:]
    var failures: [ValidationFailure] = []
    try read(sources, connection) { rows in
      var group: [FailureRow] = []
      var table: FailedTable?
      for row in rows {
        switch names.table(of: row) {
        case .found(let found):
          if found.table.oid != table?.table.oid, let last = table {
            failures += try FailureLook(last, connection).failures(group)
            group = []
          }
          table = found
          group.append(row)
        case .other: report.otherFailures += 1
        case .missing(let name): missing.insert(name)
        case .ambiguous(let name, let candidates): ambiguous[name] = candidates
        }
      }
      if let table { failures += try FailureLook(table, connection).failures(group) }
    }
    for failure in Self.latest(failures) { report.add(failure) }
    if failures.isEmpty, report.otherFailures == 0, missing.isEmpty { try warnOfTask(sources, connection) }
    if !missing.isEmpty { report.findings.append(finding(aboutMissing: missing.sorted())) }
    for (name, tables) in ambiguous.sorted(by: { $0.key < $1.key }) {
      report.findings.append(
        .blocker(
          nil,
          "DMS reports failures of \(name), which may be \(Spelling.list(tables)). Name the Oracle schema of each pair: --source-schema "
            + "PRODUCTION=NAME, or dms.source_schema in the file."
        )
      )
    }
    return report
  }

  /// A task that has found nothing is in no table; nor is one whose name is misspelt.
  private func warnOfTask(_ sources: [FailureTable], _ connection: Connection) throws(PostgresError) {
    guard let task = options.task else { return }
    let all = sources.map { "(\($0.rows))" as SQL }.joined(" UNION ALL ")
    let rows = try connection.query(
      "SELECT DISTINCT a.task FROM (\(all)) AS a ORDER BY a.task LIMIT \(Self.shownNameCount)",
      "reading the tasks that have found failures"
    )
    let names = (0..<rows.count).compactMap { rows.text($0, 0) }
    guard !names.isEmpty else { return }
    session.logger.warning("the task \(task) has no failures; there are failures of \(Spelling.list(names))")
  }

  private func finding(aboutMissing names: [String]) -> Finding {
    let shown = names.prefix(Self.shownNameCount).joined(separator: ", ")
    let more = names.count - Self.shownNameCount
    return .blocker(
      nil,
      "DMS reports failures of \(shown)\(more > 0 ? " and \(more) more" : ""), and there \(names.count == 1 ? "is no such table" : "are no such tables") in "
        + "\(Spelling.list(options.schemas.allProduction)) any more, or not under that name. Give their names in Oracle "
        + "(tables.NAME.source_table), or name the tables you mean: --table."
    )
  }

  /// Reads the latest failure of every key, table by table, in pieces.
  private func read(
    _ sources: [FailureTable],
    _ connection: Connection,
    _ body: ([FailureRow]) throws -> Void
  ) throws {
    let operation = "reading \(sources.map { "\($0.name)" }.joined(separator: " and "))"
    // A piece is looked at in the snapshot in which it was read.
    try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", operation)
    let all = sources.map { "(\($0.rows))" as SQL }.joined(" UNION ALL ")
    let task = options.task.map { $0.split(separator: ":").last.map(String.init) ?? $0 }
    let ofTask: SQL = task.map { "WHERE upper(a.task) = upper(\(Literal($0)))" } ?? ""
    try connection.execute(
      """
      DECLARE failures NO SCROLL CURSOR FOR
      SELECT DISTINCT ON (a.owner, a.name, a.key)
             a.task, a.owner, a.name, to_char(a.failed::timestamp, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), a.key, a.type, a.details,
             a.resynced
      FROM (\(all)) AS a \(ofTask)
      ORDER BY a.owner, a.name, a.key, a.failed::timestamp DESC
      """,
      operation
    )
    while true {
      let rows = try connection.query("FETCH \(Self.pieceRowCount) FROM failures", operation)
      guard rows.count > 0 else { break }
      try body(try (0..<rows.count).map { try FailureRow(rows, $0) })
    }
    try connection.execute("COMMIT", operation)
  }

  /// One failure a row: two tasks may have found it under two names of its table.
  private static func latest(_ failures: [ValidationFailure]) -> [ValidationFailure] {
    var places: [String: Int] = [:]
    var latest: [ValidationFailure] = []
    for failure in failures {
      let row = "\(failure.table)\n\(failure.keyText.filter { !$0.isWhitespace })"
      guard let place = places[row] else {
        places[row] = latest.count
        latest.append(failure)
        continue
      }
      if failure.failedAt > latest[place].failedAt { latest[place] = failure }
    }
    return latest
  }
}

/// A row of DMS's table.
struct FailureRow {
  let task: String
  let owner: String
  let name: String
  let failedAt: String
  let keyText: String
  let kind: ValidationFailure.Kind
  let details: String?
  /// Data resync has written Oracle's values, or deleted the row.
  let isResynced: Bool

  /// - Throws: ``MergeFailure/blocked(_:)`` for a kind of failure that has no meaning here.
  init(_ rows: ResultSet, _ row: Int) throws {
    task = rows.text(row, 0) ?? ""
    owner = rows.text(row, 1) ?? ""
    name = rows.text(row, 2) ?? ""
    failedAt = rows.text(row, 3) ?? ""
    keyText = rows.text(row, 4) ?? ""
    let word = rows.text(row, 5) ?? ""
    guard let kind = ValidationFailure.Kind(word: word) else {
      throw MergeFailure.blocked([
        .blocker(
          nil,
          "DMS calls a failure of \(rows.text(row, 1) ?? "").\(rows.text(row, 2) ?? "") \(word), and this merge-engine does not know what "
            + "that means; it knows RECORD_DIFF, MISSING_SOURCE, MISSING_TARGET and TABLE_WARNING."
        )
      ])
    }
    self.kind = kind
    details = rows.text(row, 6)
    isResynced = rows.text(row, 7)?.uppercased() == "SUCCESS"
  }
}
