import Libpq

/// `merge_progress`: what of which staging is merged, written in the transactions of the rows it speaks of.
///
/// The only thing that decides whether a staging row is read. A row is never changed but to say that it has been
/// superseded, and pruned only then; logs may go at any time.
struct ProgressTable {
  let admin: Identifier

  static let name = "merge_progress"

  /// What the ledger has to say of a table, and what it can't say any more.
  struct Findings: Sendable {
    var coverage = Coverage()
    /// Rows that were merged and will be read a second time, since what tells them apart is gone: their table was
    /// rewritten or restored, or the entry is too old.
    var forgottenRowCount = 0
    /// All of the table was merged, and it lies in another file since: a statement that has written its rows anew has given
    /// them its own transaction.
    var hasMovedSinceCompleted = false
    /// Nothing was ever noted of the table's present content.
    var isNew = true
    /// What was merged by whatever rules rows were judged then (``TablePlan/versionReading``), and in whatever windows; nil where
    /// all were these.
    var coverageUnderAnyRules: Coverage?
  }

  /// What ``findings(of:_:onlyRun:nextID:_:)`` asks.
  func query(_ plan: TablePlan, _ source: StagingSource, onlyRun runID: Int?) -> Query {
    Query(
      """
      SELECT id, run_id, production_oid = $1 AND source = ANY ($2), file_node, place_start::text, place_end::text, first_row, row_count,
             horizon, array_to_string(recent, ','), next_id, version_from, version_to, marker,
             reopened::text, settled::text, records,
             array_to_json(key_columns)::text, array_to_json(key_start)::text, array_to_json(key_end)::text,
             whole_file_node, array_to_json(key_text_start)::text, array_to_json(key_text_end)::text, version_reading,
             -- A merge adds the column; until then commands that only look do without.
             to_jsonb(g) ->> 'matched_by'
      FROM \(admin).merge_progress AS g
      WHERE \(isKin(of: plan, source)) AND superseded_at IS NULL AND ($3::bigint IS NULL OR run_id = $3)
      ORDER BY id
      """,
      [.bigint(Int(plan.productionOid)), .textArray(source.identities), .bigint(runID)],
      "reading what is merged of \(plan.staging)"
    )
  }

  /// Reads what is known of a staging table.
  ///
  /// - Parameters:
  ///   - plan: its production table.
  ///   - source: the staging table as it is now.
  ///   - runID: only what this run has merged counts; nil for all.
  ///   - nextID: staging's next transaction id.
  func findings(
    of plan: TablePlan,
    _ source: StagingSource,
    onlyRun runID: Int? = nil,
    nextID: Int,
    _ connection: Connection
  ) throws(PostgresError) -> Findings {
    let rows = try connection.query(query(plan, source, onlyRun: runID))
    var findings = Findings()
    /// Of the entries so far that are still good.
    var knownRowCount = 0
    var underAnyRules = Coverage()
    for row in 0..<rows.count {
      let recordCount = rows.integer(row, 16) ?? 0
      let fileNode = rows.integer(row, 3)
      let entry = Self.entry(rows, row)
      var isValid = rows.bool(row, 2) == true && (fileNode == nil || fileNode == source.fileNode)
      var isOfMerge = false
      var isJudgement = true
      switch entry.content {
      case .merged(_, let horizon, _), .mergedKeys(_, let horizon, _):
        isValid = isValid && horizon.isValid(at: nextID)
        isOfMerge = true
      case .settled(_, let horizon, _): isValid = isValid && horizon.isValid(at: nextID)
      case .reopened: isJudgement = false
      }
      // By another column or in another zone other rows may be newer, and a window's bounds part them elsewhere; by another key
      // rows that were one may be two.
      let isByOtherKey = rows.text(row, 24).map { $0 != plan.matching } ?? false
      let isByOtherRules = isJudgement && (isByOtherKey || rows.text(row, 23) != plan.versionReading)
      if isValid { underAnyRules.add(isByOtherRules ? entry.unbounded : entry) }
      if isValid, isByOtherRules {
        findings.coverageUnderAnyRules = Coverage()
        continue
      }
      if isValid {
        findings.coverage.add(entry)
        findings.isNew = false
        if isOfMerge { knownRowCount += recordCount }
        if case .merged(nil, _, _) = entry.content, rows.integer(row, 20) != source.fileNode {
          findings.hasMovedSinceCompleted = true
        }
      } else if case .reopened = entry.content {
        // Where the rows are is unknown, so that all that was said before must be forgotten. They themselves were unread anyway.
        findings.forgottenRowCount += max(knownRowCount - recordCount, 0)
        findings.coverage = Coverage()
        underAnyRules = Coverage()
        knownRowCount = 0
      } else {
        findings.forgottenRowCount += recordCount
      }
    }
    if findings.coverageUnderAnyRules != nil { findings.coverageUnderAnyRules = underAnyRules }
    return findings
  }

  /// What a run has looked at, of whatever versions it was to merge; of a table that lies where it lay then.
  func seen(by runID: Int, of plan: TablePlan, _ source: StagingSource, nextID: Int, _ connection: Connection)
    throws(PostgresError) -> Coverage
  {
    let rows = try connection.query(query(plan, source, onlyRun: runID))
    return (0..<rows.count).reduce(into: Coverage()) { seen, row in
      let entry = Self.entry(rows, row)
      guard rows.bool(row, 2) == true, rows.integer(row, 3).map({ $0 == source.fileNode }) ?? true else { return }
      switch entry.content {
      case .merged(_, let horizon, _), .mergedKeys(_, let horizon, _), .settled(_, let horizon, _):
        if horizon.isValid(at: nextID) { seen.add(entry.unbounded) }
      case .reopened: break
      }
    }
  }

  /// Whether an entry `g` speaks of this table or of one that it has taken the place of: a staging table of the same name, made
  /// anew, or a production table that is not there any more, as in a database that was restored, or was moved to another schema. A
  /// staging table that was renamed is the same table; a production table of another schema may be a second pair with the same
  /// staging.
  private func isKin(of plan: TablePlan, _ source: StagingSource) -> SQL {
    let schema = Literal(plan.production.schema.name)
    return """
      (g.production_oid = \(plan.productionOid)
        AND (g.source IN (\(source.identities.map { "\(Literal($0))" as SQL }.joined(", ")))
             OR g.staging = \(Literal(plan.staging.quoted)) AND \(source.isKin("g.source")))
        OR g.staging = \(Literal(plan.staging.quoted)) AND \(source.isKin("g.source"))
           AND g.table_name = \(Literal(plan.plainName))
           AND NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE c.oid::bigint = g.production_oid AND c.relname::text = g.table_name
                             AND (g.production_schema = \(schema) AND n.nspname::text <> \(schema)) IS NOT TRUE)
           -- A table of another schema that is gone was another one, where this one has entries of its own.
           AND (g.production_schema = \(schema)
                OR NOT EXISTS (SELECT FROM \(admin).merge_progress AS o
                               WHERE o.production_oid = \(plan.productionOid) AND o.staging = g.staging)))
      """
  }

  private static func entry(_ rows: ResultSet, _ row: Int) -> LedgerEntry {
    let id = rows.integer(row, 0) ?? 0
    let runID = rows.integer(row, 1) ?? 0
    let marker = rows.integer(row, 13)
    if let reopened = rows.text(row, 14) {
      return LedgerEntry(
        id: id,
        runID: runID,
        content: .reopened(TupleAddress.addresses(ofArray: reopened)),
        marker: marker
      )
    }
    var place: TupleRange?
    if let first = rows.integer(row, 6), let count = rows.integer(row, 7) {
      place = TupleRange(start: UInt64(first), end: UInt64(first + count))
    } else if let start = rows.text(row, 4).flatMap(TupleAddress.init(text:)) {
      let end = rows.text(row, 5).flatMap(TupleAddress.init(text:))?.packed
      place = TupleRange(start: start.packed, end: end ?? TupleRange.everything.end)
    }
    let recent = (rows.text(row, 9) ?? "").split(separator: ",").compactMap { Int($0) }
    let horizon = Horizon(oldest: rows.integer(row, 8) ?? 0, recent: recent, next: rows.integer(row, 10) ?? 0)
    let window = VersionWindow(from: rows.text(row, 11), to: rows.text(row, 12))
    if let settled = rows.text(row, 15) {
      let addresses = TupleAddress.addresses(ofArray: settled)
      return LedgerEntry(id: id, runID: runID, content: .settled(addresses, horizon, window), marker: marker)
    }
    if let columns = JSONText.decode([String].self, rows.text(row, 17)),
      let start = key(numbers: rows.text(row, 18), texts: rows.text(row, 21))
    {
      let end = key(numbers: rows.text(row, 19), texts: rows.text(row, 22))
      let keys = KeyRange(columns: columns, start: start, end: end)
      return LedgerEntry(id: id, runID: runID, content: .mergedKeys(keys, horizon, window), marker: marker)
    }
    return LedgerEntry(id: id, runID: runID, content: .merged(place, horizon, window), marker: marker)
  }

  /// A key of which one or the other is there, in JSON.
  private static func key(numbers: String?, texts: String?) -> KeyRange.Key? {
    JSONText.decode([Int].self, numbers).map(KeyRange.Key.numbers)
      ?? JSONText.decode([String].self, texts).map(KeyRange.Key.texts)
  }

  /// Says in one entry that all of a table is merged, whatever file it lies in, in place of all that was said before.
  ///
  /// - Parameters:
  ///   - horizon: of a moment at which no row was left.
  ///   - window: the versions that this speaks of; entries about other ones stay.
  func complete(
    _ plan: TablePlan,
    _ source: StagingSource,
    horizon: Horizon,
    window: VersionWindow,
    recordCount: Int,
    runID: Int?,
    _ connection: Connection
  ) throws(PostgresError) {
    _ = try connection.query(
      """
      WITH superseded AS (
        UPDATE \(admin).merge_progress AS g SET superseded_at = clock_timestamp() AT TIME ZONE 'UTC'
        WHERE \(isKin(of: plan, source)) AND superseded_at IS NULL
          AND ($9 AND $10 OR coalesce(version_from = $7, version_from IS NULL AND $7 IS NULL)
                             AND coalesce(version_to = $8, version_to IS NULL AND $8 IS NULL)
                             AND coalesce(version_reading = $14, version_reading IS NULL AND $14 IS NULL)
                             AND reopened IS NULL AND settled IS NULL)
      )
      INSERT INTO \(admin).merge_progress
        (run_id, table_name, production_oid, staging, source, horizon, recent, next_id, version_from, version_to, records,
         whole_file_node, version_reading, matched_by, production_schema, recorded_at)
      VALUES ($12, \(Literal(plan.plainName)), $1, $2, $3, $4, $5::text::bigint[], $6, $7, $8, $11, $13, $14, $15,
              \(Literal(plan.production.schema.name)), clock_timestamp() AT TIME ZONE 'UTC')
      """,
      [
        .bigint(Int(plan.productionOid)), .text(plan.staging.quoted), .text(source.identity), .bigint(horizon.oldest),
        .text("{" + horizon.recent.map(String.init).joined(separator: ",") + "}"), .bigint(horizon.next),
        .text(window.from), .text(window.to), .bool(window.from == nil), .bool(window.to == nil), .bigint(recordCount),
        .bigint(runID), .bigint(source.fileNode), .text(plan.versionReading),
        .text(plan.matching),
      ],
      "recording that all of \(plan.staging) is merged"
    )
  }

  /// Has rows read again, whatever was said of them before.
  ///
  /// - Parameter addresses: where they lie in the file that staging is now.
  func reopen(
    _ addresses: [UInt64],
    of plan: TablePlan,
    _ source: StagingSource,
    runID: Int?,
    _ connection: Connection
  ) throws(PostgresError) {
    guard !addresses.isEmpty else { return }
    _ = try connection.query(
      """
      INSERT INTO \(admin).merge_progress
        (run_id, table_name, production_oid, staging, source, file_node, reopened, records, production_schema, recorded_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7::text[]::tid[], cardinality($7::text[]), $8, clock_timestamp() AT TIME ZONE 'UTC')
      """,
      [
        .bigint(runID), .text(plan.plainName), .bigint(Int(plan.productionOid)), .text(plan.staging.quoted),
        .text(source.identity), .bigint(source.fileNode), .textArray(addresses.map { TupleAddress($0).description }),
        .text(plan.production.schema.name),
      ],
      "marking rows of \(plan.staging) to be read again"
    )
  }

  /// Notes a transaction that will mark rows of staging which are merged.
  func note(marker: Int, of plan: TablePlan, _ source: StagingSource, runID: Int, _ connection: Connection)
    throws(PostgresError)
  {
    _ = try connection.query(
      """
      INSERT INTO \(admin).merge_progress
        (run_id, table_name, production_oid, staging, source, file_node, marker, reopened, records, production_schema, recorded_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, '{}', 0, $8, clock_timestamp() AT TIME ZONE 'UTC')
      """,
      [
        .bigint(runID), .text(plan.plainName), .bigint(Int(plan.productionOid)), .text(plan.staging.quoted),
        .text(source.identity), .bigint(source.fileNode), .bigint(marker), .text(plan.production.schema.name),
      ],
      "marking rows of \(plan.staging)"
    )
  }
}
