import Libpq

/// What the admin tables know of one row.
struct RowRecords {
  private let plan: TablePlan
  private let key: AskedKey
  private let schemas: Schemas
  private let connection: Connection

  private var admin: Identifier { Identifier(schemas.admin) }

  init(plan: TablePlan, key: AskedKey, schemas: Schemas, _ connection: Connection) {
    self.plan = plan
    self.key = key
    self.schemas = schemas
    self.connection = connection
  }

  private func has(_ column: String) throws(PostgresError) -> Bool {
    try AdminSchema(schemas: schemas).columns(connection).contains(column)
  }

  /// The row `s` of staging lies in the stretch of keys of the entry `g`, if that has one.
  private var isInStretch: SQL { "(g.key_columns IS NULL OR \(KeyRange.holds("g")))" }

  /// The batches that have read what lies at these addresses: a batch's record and its place are written by one statement, and
  /// so at nearly the same time.
  ///
  /// A place may hold rows that the batch has left alone: of the entries that cover a row only those have read it before which it
  /// was unread, as the first one, one after it was reopened, or the first of a run that reads everything again. A row that the
  /// run itself reopens, as it was set apart, is read by another batch.
  ///
  /// - Precondition: staging is in this database.
  func reads(of addresses: [String]) throws(PostgresError) -> [WhyReport.Read] {
    guard !addresses.isEmpty, let source = plan.reading.state.source, try has("merge_progress.key_text_start") else {
      return []
    }
    let isOlder = Horizon.isOlder("s.xmin", than: "age(mod(g.horizon, 4294967296)::text::xid)")
    let rows = try connection.query(
      """
      WITH events AS (
        SELECT g.*, s.ctid AS address, g.reopened IS NOT NULL AS reopens,
               coalesce((r.parameters ->> 'again')::boolean, false) AS reads_again, r.merge_end
        FROM \(plan.staging) AS s
        JOIN \(admin).merge_progress AS g
          ON g.production_oid = \(plan.productionOid) AND g.source = ANY ($2)
         AND (g.file_node IS NULL OR g.file_node = $3)
         AND (s.ctid = ANY (g.reopened)
              OR g.reopened IS NULL
                 AND (s.xmin = mod(g.marker, 4294967296)::text::xid
                      OR (g.settled IS NULL OR s.ctid = ANY (g.settled)) AND \(isInStretch)
                         AND (g.place_start IS NULL OR s.ctid >= g.place_start) AND (g.place_end IS NULL OR s.ctid < g.place_end)
                         AND (coalesce(g.horizon, 0) > 0 AND \(isOlder)
                              OR s.xmin = ANY (ARRAY(SELECT mod(r, 4294967296)::text::xid FROM unnest(g.recent) AS r)))))
        LEFT JOIN \(admin).merge_summary AS r ON r.id = g.run_id
        WHERE s.ctid = ANY ($1::text[]::tid[])
      ), ordered AS (
        SELECT e.*, lag(e.reopens) OVER history AS was_reopened, lag(e.run_id) OVER history AS last_run_id,
               e.settled IS NULL AND lead(e.reopens) OVER history AND lead(e.run_id) OVER history = e.run_id
                 AND lead(e.recorded_at) OVER history <= coalesce(e.merge_end, 'infinity') AS is_set_apart
        FROM events AS e WINDOW history AS (PARTITION BY e.address ORDER BY e.id)
      )
      SELECT g.run_id::bigint, to_char(g.recorded_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), b.worker::bigint, b.records_read,
             g.address::text, g.is_of_all
      FROM (SELECT o.*, o.place_start IS NULL AND o.key_columns IS NULL AND o.settled IS NULL AS is_of_all FROM ordered AS o
            WHERE NOT o.reopens AND NOT coalesce(o.is_set_apart, false)
              AND (coalesce(o.was_reopened, true) OR o.reads_again AND o.run_id <> o.last_run_id)) AS g
      LEFT JOIN LATERAL (
        SELECT b.worker, b.records_read FROM \(admin).merge_batches AS b
        WHERE NOT g.is_of_all
          AND b.run_id = g.run_id AND b.table_name = $4 AND b.records_read = g.records
          AND coalesce(to_jsonb(b) ->> 'production_schema' = \(Literal(plan.production.schema.name)), true)
          AND b.finished_at >= g.recorded_at - interval '1 second' AND b.finished_at <= g.recorded_at + interval '1 second'
        ORDER BY greatest(b.finished_at - g.recorded_at, g.recorded_at - b.finished_at) LIMIT 1
      ) AS b ON true
      ORDER BY g.id
      """,
      [.textArray(addresses), .textArray(source.identities), .bigint(source.fileNode), .text(plan.plainName)],
      "looking for the batches that read the row"
    )
    return (0..<rows.count).map { row in
      WhyReport.Read(
        runID: rows.integer(row, 0),
        at: rows.text(row, 1),
        worker: rows.integer(row, 2),
        rows: rows.integer(row, 3),
        ctid: rows.text(row, 4) ?? "",
        isOrEarlier: rows.bool(row, 5) == true
      )
    }
  }

  /// Refusals of rows of the key, the oldest first.
  ///
  /// - Parameters:
  ///   - spellings: how rows of staging write the key, which production may take for the same: a refusal has it as its row had.
  ///   - gone: those on record whose rows have left staging, or have changed there (``RefusalStanding/gone()``).
  func refusals(spelledAs spellings: [[String]], gone: [Int]) throws(PostgresError) -> [WhyReport.Refusal] {
    guard try has("merge_errors.dismissed_because"), try has("merge_errors.production_schema") else { return [] }
    let values = key.values.indices.map { index in Set([key.values[index]] + spellings.map { $0[index] }).sorted() }
    let recorded = try recorded(values)
    let match = plan.keyColumns.enumerated().map { index, column in
      "\(column.baseType.collated("e.row_key ->> \(Literal(column.name.name))")) = ANY ($\(index + 2)::text[])" as SQL
    }
    let rows = try connection.query(
      """
      SELECT e.run_id::bigint, to_char(e.failed_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), e.sqlstate, e.message,
             CASE WHEN e.dismissed_at IS NOT NULL THEN 'dismissed' WHEN e.retried_at IS NOT NULL THEN 'retried'
                  WHEN e.id::bigint = ANY (\(Literal("{\(gone.map(String.init).joined(separator: ","))}"))::bigint[]) THEN 'gone' ELSE 'standing' END,
             e.dismissed_because
      FROM \(admin).merge_errors AS e
      WHERE e.table_name = $1 AND \(PairSQL(schemas: schemas).owns("e")) AND \(match.joined(" AND "))
      ORDER BY e.id
      """,
      [.text(plan.plainName)] + zip(values, recorded).map { .textArray($0 + $1) },
      "looking for refusals of the row"
    )
    return (0..<rows.count).map { row in
      WhyReport.Refusal(
        runID: rows.integer(row, 0),
        at: rows.text(row, 1),
        sqlState: rows.text(row, 2),
        message: rows.text(row, 3),
        standing: rows.text(row, 4) ?? "",
        dismissedBecause: rows.text(row, 5)
      )
    }
  }

  /// The key's values, column by column, as a record of them was made: by the server, as JSON. Types have the names that they have in
  /// this session.
  private func recorded(_ values: [[String]]) throws(PostgresError) -> [[String]] {
    let columns = plan.keyColumns.enumerated().map { index, column in
      "ARRAY(SELECT to_jsonb(v.text::\(column.baseType.uncutName)) #>> '{}' FROM unnest($\(index + 1)::text[]) AS v (text))"
        as SQL
    }
    let row = try LocalSettings.reading(under: LocalSettings.exactFormats, on: connection) { () throws(PostgresError) in
      try connection.query(
        "SELECT \(columns.map { "to_jsonb(\($0))::text" as SQL }.joined(", "))",
        values.map { .textArray($0) },
        "reading the key"
      )
    }
    return values.indices.map { JSONText.decode([String].self, row.text(0, $0)) ?? [] }
  }

  /// What runs have kept of the row, the oldest run first; tables that this role may not read are left out.
  func images(_ production: WhyReport.ProductionRow?) throws(PostgresError) -> [WhyReport.Image] {
    guard try has("before_images.dropped_at") else { return [] }
    let tables = try connection.query(
      """
      SELECT i.run_id::bigint, i.image_table, r.status::text, coalesce(r.parameters ? 'repair', false),
             array_to_json(ARRAY(SELECT a.attname::text FROM pg_attribute AS a
                                 WHERE a.attrelid = c.oid AND a.attnum > 1 AND NOT a.attisdropped ORDER BY a.attnum))::text
      FROM \(admin).before_images AS i
      JOIN pg_class AS c ON c.oid = i.image_oid
      LEFT JOIN \(admin).merge_summary AS r ON r.id = i.run_id
      WHERE i.production_oid = \(plan.productionOid) AND i.dropped_at IS NULL AND has_table_privilege(c.oid, 'SELECT')
      ORDER BY i.run_id
      """,
      "looking for before-images"
    )
    var images: [WhyReport.Image] = []
    for table in 0..<tables.count {
      let name = QualifiedName(schema: schemas.admin, name: tables.text(table, 1) ?? "")
      let columns = (JSONText.decode([String].self, tables.text(table, 4)) ?? []).map { Identifier($0) }
      guard plan.keyColumns.allSatisfy({ column in columns.contains { $0 == column.name } }) else { continue }
      let match = plan.keyColumns.indices.map { index in
        let column = plan.columns[index]
        return "i.\(column.name) \(column.equality) $\(index + 1)::text::\(column.baseType.uncutName)" as SQL
      }
      let previous = BeforeImageTable.previousXID
      let rows = try connection.query(
        """
        SELECT CASE WHEN i.\(previous) IS NULL THEN 'inserted' WHEN i.\(previous) = \(BeforeImageTable.deleted) THEN 'deleted'
                    ELSE 'updated' END, i.xmin::text, \(columns.map { "i.\($0)::text" as SQL }.joined(", "))
        FROM \(name) AS i WHERE \(match.joined(" AND "))
        """,
        key.values.map { .text($0) },
        "looking for the row in \(name)"
      )
      for row in 0..<rows.count {
        let effect = rows.text(row, 0) ?? ""
        let before = columns.indices.map { (columns[$0].name, rows.text(row, 2 + $0)) }
        images.append(
          WhyReport.Image(
            runID: tables.integer(table, 0) ?? 0,
            isRepair: tables.bool(table, 3) == true,
            runStatus: tables.text(table, 2) ?? "",
            effect: effect,
            isUntouched: effect == "deleted" ? production == nil : production?.xmin == rows.text(row, 1),
            before: effect == "inserted" ? nil : Dictionary(uniqueKeysWithValues: before)
          )
        )
      }
    }
    return images
  }
}
