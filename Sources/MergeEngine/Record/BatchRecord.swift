import Libpq

/// Writes down what a batch has done, as the last statement of its transaction: its place in `merge_progress`, a row in
/// `merge_batches`, and its counts in its table's row of `merge_logs`.
///
/// Progress and counts commit with the rows they speak of: after a crash they say exactly what was merged. Last, because
/// all workers of a table meet at the row of `merge_logs`, and then hold it only for the commit.
struct BatchRecord {
  private let statement: PreparedStatement
  private let connection: Connection
  private let operation: String
  private let plan: TablePlan
  /// The statement answers with the pages of the session so far.
  private let countsPages: Bool

  /// Staging lies in another file than when the round looked at it: somebody has rewritten or truncated it.
  struct StagingRewritten: Error, CustomStringConvertible {
    var description: String {
      "staging was rewritten or truncated again and again while it was being read; run the merge again once that has stopped"
    }
  }

  /// The run's own record is gone, and with it whatever says that there is such a run.
  struct RunGone: Error, CustomStringConvertible {
    var description: String {
      "the run's row of merge_logs is gone: somebody has deleted it, or the server has lost its last commits in a crash. What is merged "
        + "counts; run the same command again to merge the rest"
    }
  }

  private static let goneWords = "the run's record is gone"

  /// - Parameters:
  ///   - worker: its number within the run.
  ///   - name: the prepared statement's.
  ///   - isOneDatabase: staging is where production is.
  init(
    _ plan: TablePlan,
    run: RunRecord,
    worker: Int,
    admin: Identifier,
    name: String,
    isOneDatabase: Bool,
    _ connection: Connection
  ) throws(PostgresError) {
    self.connection = connection
    self.plan = plan
    operation = "recording the counts of \(plan.production)"
    countsPages = !plan.reading.cacheFit.relations.isEmpty
    let counting: SQL = countsPages ? "\nRETURNING \(PageCounter.outputs(plan.reading.cacheFit.relations))" : ""
    let logID = run.logIDs[plan.name] ?? 0
    let shape = PlannedShape(plan)
    let isAsPlanned =
      isOneDatabase && plan.reading.snapshot == nil
      ? shape.ofProduction + " AND " + shape.ofStaging : shape.ofProduction
    let progress = Self.progress(plan, run: run, admin: admin, isOneDatabase: isOneDatabase)
    // One statement, so that a record of each batch costs no further trip to the server; the commit travels with it, and must
    // not come where no place was noted: then the statement divides by zero. Nor where the tables are not what was planned, which
    // the batch's locks keep as they are from here on. The start is told by the time it took: with --atomic the transaction began
    // with the first batch. Nor where the run has no record: the UPDATE would find no row, and ask nothing of all that.
    statement = try connection.prepareWithNext(
      name,
      """
      WITH batch AS (
        INSERT INTO \(admin).merge_batches
          (run_id, table_name, worker, started_at, finished_at, records_read, records_inserted, records_updated,
           records_unchanged, records_stale, records_duplicate, records_error, lost_races, elapsed_ms, production_schema)
        SELECT \(run.id), \(Literal(plan.plainName)), \(worker), now - $9 * interval '1 microsecond', now,
               $1, $2, $3, $4, $5, $6, $7, $8, $9 / 1000, \(Literal(plan.production.schema.name))
        FROM (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now) AS clock
        WHERE CASE WHEN EXISTS (SELECT FROM \(admin).merge_logs WHERE id = \(logID)) THEN true
                   ELSE \(KeyCast.refusal(["\(Literal(Self.goneWords))"])) END
      ), progress AS (\(progress))
      UPDATE \(admin).merge_logs
      SET merge_time = clock_timestamp() AT TIME ZONE 'UTC',
          records_read = records_read + $1, records_inserted = records_inserted + $2,
          records_updated = records_updated + $3, records_unchanged = records_unchanged + $4,
          records_stale = records_stale + $5, records_duplicate = records_duplicate + $6,
          records_error = records_error + $7, lost_races = lost_races + $8, batches = batches + 1
      WHERE id = \(logID) AND 1 / (SELECT count(*) FROM progress) >= 0
        AND \(PlannedShape.require(isAsPlanned))\(counting)
      """,
      parameterTypes: [UInt32](repeating: TypeOID.int8, count: 9) + [
        TypeOID.text, TypeOID.text, TypeOID.int8, TypeOID.text, TypeOID.text, TypeOID.text,
      ],
      operation
    )
  }

  /// What notes the place of a batch, `$10` to `$11`, or its keys, `$14` to `$15`, or its rows that had been set apart, `$13`, and the
  /// transaction of its marks on another server, `$12`. Of a snapshot's file the place is the numbers of its rows, `$10`.
  private static func progress(_ plan: TablePlan, run: RunRecord, admin: Identifier, isOneDatabase: Bool) -> SQL {
    func text(_ value: String?) -> SQL { value.map { "\(Literal($0))" } ?? "NULL" }
    let window: SQL = "\(text(plan.reading.window.from)), \(text(plan.reading.window.to))"
    if let snapshot = plan.reading.snapshot {
      return """
        INSERT INTO \(admin).merge_progress
          (run_id, table_name, production_oid, source, first_row, row_count, version_from, version_to, version_reading, matched_by,
           records, recorded_at)
        SELECT \(run.id), \(Literal(plan.plainName)), \(plan.productionOid), \(Literal(snapshot.source.identity)),
               lower(r), upper(r) - lower(r), \(window), \(text(plan.versionReading)), \(text(plan.matching)),
               upper(r) - lower(r),
               clock_timestamp() AT TIME ZONE 'UTC'
        FROM unnest($10::int8multirange) AS r
        RETURNING id
        """
    }
    guard let source = plan.reading.state.source, let horizon = plan.reading.state.horizon else {
      preconditionFailure("staging is looked at before it is read")
    }
    let marker: SQL = plan.writing.marksRows && isOneDatabase ? "pg_current_xact_id()::text::bigint" : "$12"
    // The batch's own lock on staging keeps the file what it is until the commit.
    let isSameFile: SQL =
      isOneDatabase
      ? " WHERE pg_relation_filenode(\(Literal(plan.staging.quoted))::regclass)::bigint = \(source.fileNode)" : ""
    let recent = Literal("{" + horizon.recent.map(String.init).joined(separator: ",") + "}")
    let keyNames = plan.keyColumns.map { "\(Literal($0.name.name))::text" as SQL }.joined(", ")
    let (keyStart, keyEnd, keyType): (SQL, SQL, SQL) =
      plan.keyForm == .texts ? ("key_text_start", "key_text_end", "text") : ("key_start", "key_end", "bigint")
    return """
      INSERT INTO \(admin).merge_progress
        (run_id, table_name, production_oid, staging, source, file_node, place_start, place_end, horizon, recent, next_id,
         version_from, version_to, version_reading, matched_by, production_schema, marker, settled, key_columns, \(keyStart), \(keyEnd), records,
         recorded_at)
      SELECT \(run.id), \(Literal(plan.plainName)), \(plan.productionOid), \(Literal(plan.staging.quoted)),
             \(Literal(source.identity)), \(source.fileNode), $10::tid, $11::tid, \(horizon.oldest), \(recent)::bigint[],
             \(horizon.next), \(window), \(text(plan.versionReading)), \(text(plan.matching)),
             \(Literal(plan.production.schema.name)), \(marker), $13::tid[],
             CASE WHEN $14::text IS NOT NULL THEN ARRAY[\(keyNames)] END, $14::\(keyType)[], $15::\(keyType)[], $1,
             clock_timestamp() AT TIME ZONE 'UTC'\(isSameFile)
      RETURNING id
      """
  }

  /// - Parameters:
  ///   - place: where the rows were read.
  ///   - marker: the transaction that marks them on another server.
  ///   - elapsed: since the batch was begun.
  ///   - ending: what ends the transaction, if that is to be done at once.
  /// - Returns: the pages of production that the session has visited, as ``PageCounter`` takes them; nil where nothing is known.
  /// - Throws: ``StagingRewritten``, ``RunGone``, ``PlannedShape/Broken``, ``PostgresError``.
  func add(
    _ counts: VerdictCounts,
    at place: BatchPlace,
    marker: Int?,
    elapsed: Duration,
    then ending: [Companion]
  ) throws -> PageCounter.Reading? {
    var (start, end, settled): (String?, String?, String?) = (nil, nil, nil)
    var keys: KeyRange?
    switch place {
    case .blocks(let range):
      start = TupleAddress(range.start).description
      end = range.end < TupleRange.everything.end ? TupleAddress(range.end).description : nil
    case .rows(let rows): settled = TupleAddress.arrayText(rows)
    case .keys(let keyed): keys = keyed.range
    case .slice(let slice): start = slice.multirangeText
    }
    let parameters: [Parameter] = [
      .bigint(counts.read), .bigint(counts.inserted), .bigint(counts.updated), .bigint(counts.unchanged),
      .bigint(counts.stale), .bigint(counts.duplicate), .bigint(counts.errors), .bigint(counts.lostRaces),
      .bigint(Int(elapsed / .microseconds(1))),
      .text(start), .text(end), .bigint(marker), .text(settled),
      .text(keys?.start.arrayText), .text(keys?.end?.arrayText),
    ]
    let result = try execute(parameters, then: ending)
    return countsPages ? PageCounter.Reading(visited: result.integer(0, 0) ?? 0, hit: result.integer(0, 1) ?? 0) : nil
  }

  private func execute(_ parameters: [Parameter], then ending: [Companion]) throws -> ResultSet {
    do throws(PostgresError) {
      return try connection.execute(statement, parameters, then: ending)
    } catch {
      if error.origin == .server, KeyCast.explained(error).message == Self.goneWords { throw RunGone() }
      if PlannedShape.isBroken(error) { throw PlannedShape.Broken(plan: plan) }
      guard error.sqlState == .divisionByZero, error.operation == operation else { throw error }
      throw StagingRewritten()
    }
  }
}
