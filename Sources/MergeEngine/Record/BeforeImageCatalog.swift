import Libpq

/// The list of all before-image tables, in `before_images` of the admin schema.
struct BeforeImageCatalog {
  let schemas: Schemas

  private var admin: Identifier { Identifier(schemas.admin) }

  /// An entry.
  struct Entry: Sendable {
    let runID: Int
    let imageOid: UInt32
    let image: QualifiedName
    let production: QualifiedName
    let productionOid: UInt32
    /// How many columns behind the first one are the key.
    let keyColumnCount: Int
    /// Transactions that the server has begun since.
    let age: Int
    /// When the table was dropped, UTC; nil while it is there.
    let droppedAt: String?
    /// A restored dump has made the table, and not the run.
    let isRestored: Bool
    /// Columns that the production table has been given since.
    let laterColumns: Set<Identifier>
  }

  /// Makes the tables of a run, or finds the ones that it has from before it broke off.
  ///
  /// - Parameters:
  ///   - isWanted: images were asked for; a run that has some already goes on keeping them in any case.
  ///   - connection: within the transaction that opens the run.
  /// - Returns: whether the run keeps images.
  /// - Throws: ``MergeFailure/blocked(_:)`` for a run that has merged without them: half a run can't be taken back.
  func open(_ runID: Int, _ plan: MergePlan, isWanted: Bool, on connection: Connection) throws -> Bool {
    let known = try entries(ofRun: runID, connection).filter { $0.droppedAt == nil }.map(\.productionOid)
    guard isWanted || !known.isEmpty else { return false }
    for table in plan.tables where !known.contains(table.productionOid) {
      try requireNothingMerged(runID, table, on: connection)
      let name = QualifiedName(
        schema: schemas.admin,
        name: BeforeImageTable.name(run: runID, table: table.name, oid: table.productionOid, on: connection)
      )
      let operation = "creating the table \(name) for the before-images of \(table.production)"
      try connection.execute(BeforeImageTable.create(name, for: table), operation)
      _ = try connection.query(
        """
        INSERT INTO \(admin).before_images
          (image_oid, run_id, schema_name, table_name, image_table, production_oid, key_column_count, created_at,
           created_xid, last_column)
        SELECT c.oid, $1, $2, $3, c.relname, \(table.productionOid), $4, clock_timestamp() AT TIME ZONE 'UTC',
               pg_current_xact_id()::text::bigint,
               (SELECT max(a.attnum) FROM pg_attribute a WHERE a.attrelid = \(table.productionOid))
        FROM pg_class c WHERE c.oid = \(Literal(name.quoted))::regclass
        """,
        [
          .bigint(runID), .text(table.production.schema.name), .text(table.plainName),
          .integer(Int32(table.keyColumnCount)),
        ],
        operation
      )
    }
    return true
  }

  private func requireNothingMerged(_ runID: Int, _ table: TablePlan, on connection: Connection) throws {
    let merged = try connection.query(
      """
      SELECT EXISTS (SELECT FROM \(admin).merge_logs
                     WHERE run_id = $1 AND table_name = $2 AND production_schema = $3 AND records_inserted + records_updated > 0)
      """,
      [.bigint(runID), .text(table.plainName), .text(table.production.schema.name)],
      "checking whether run \(runID) has merged into \(table.production)"
    )
    guard merged.bool(0, 0) == true else { return }
    throw MergeFailure.blocked([
      .blocker(
        .beforeImages,
        table.name,
        "run \(runID) has already merged rows into \(table.production) without before-images. Continue it without "
          + "--before-images, or merge the rest in a separate run."
      )
    ])
  }

  /// The image tables of a run for the tables of a plan, one each, in the plan's order.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` where the list lacks one: nothing is written that could not be taken back.
  func tables(_ runID: Int, _ plan: MergePlan, on connection: Connection) throws -> [BeforeImageTable] {
    let entries = try entries(ofRun: runID, connection)
    return try plan.tables.map { table in
      guard let entry = entries.last(where: { $0.productionOid == table.productionOid }) else {
        throw MergeFailure.blocked([
          .blocker(
            .beforeImages,
            table.name,
            "\(admin).before_images does not list the before-images of \(table.production) that run \(runID) is to keep: somebody has "
              + "deleted the row. Merge in a separate run."
          )
        ])
      }
      return BeforeImageTable(name: entry.image)
    }
  }

  /// The entries of a run, in the order in which they were made.
  func entries(ofRun runID: Int, _ connection: Connection) throws(PostgresError) -> [Entry] {
    try entries("run_id = \(runID)", connection)
  }

  /// The entries of all runs whose tables hold images of a production table, and may be written by this role.
  func entries(of productionOid: UInt32, _ connection: Connection) throws(PostgresError) -> [Entry] {
    try entries(
      """
      production_oid = \(productionOid) AND dropped_at IS NULL
      AND image_oid IN (SELECT oid FROM pg_class WHERE pg_has_role(relowner, 'USAGE'))
      """,
      connection
    )
  }

  /// The entries of these schemas whose tables are there and were made more than `days` days ago, by runs at an end.
  func entries(olderThanDays days: Int, _ connection: Connection) throws(PostgresError) -> [Entry] {
    try entries(
      """
      dropped_at IS NULL AND created_at < clock_timestamp() AT TIME ZONE 'UTC' - make_interval(days => \(days))
      AND run_id NOT IN (SELECT id FROM \(admin).merge_summary WHERE status IN ('RUNNING', 'LOADING', 'ROLLING BACK'))
      AND \(PairSQL(schemas: schemas).ownsByRun("i"))
      AND schema_name IN (\(schemas.allProduction.map { "\(Literal($0))" as SQL }.joined(", ")))
      """,
      connection
    )
  }

  private func entries(_ condition: SQL, _ connection: Connection) throws(PostgresError) -> [Entry] {
    let rows = try connection.query(
      """
      SELECT run_id::bigint, image_oid, image_table, schema_name, table_name, production_oid, key_column_count,
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint - created_xid,
             to_char(dropped_at, 'YYYY-MM-DD HH24:MI'),
             (SELECT a.xmin <> mod(created_xid, 4294967296)::text::xid FROM pg_attribute a
              WHERE a.attrelid = image_oid AND a.attname = 'ctid'),
             array_to_json(ARRAY(SELECT a.attname::text FROM pg_attribute a
                   WHERE a.attrelid = production_oid AND a.attnum > last_column AND NOT a.attisdropped))::text
      FROM \(admin).before_images AS i WHERE \(condition) ORDER BY created_at, image_oid
      """,
      "reading the list of before-images"
    )
    return (0..<rows.count).map { row in
      Entry(
        runID: rows.integer(row, 0) ?? 0,
        imageOid: UInt32(rows.integer(row, 1) ?? 0),
        image: QualifiedName(schema: schemas.admin, name: rows.text(row, 2) ?? ""),
        production: QualifiedName(schema: rows.text(row, 3) ?? "", name: rows.text(row, 4) ?? ""),
        productionOid: UInt32(rows.integer(row, 5) ?? 0),
        keyColumnCount: rows.integer(row, 6) ?? 0,
        age: rows.integer(row, 7) ?? 0,
        droppedAt: rows.text(row, 8),
        isRestored: rows.bool(row, 9) == true,
        laterColumns: Set((JSONText.decode([String].self, rows.text(row, 10)) ?? []).map { Identifier($0) })
      )
    }
  }

  /// Drops a table, if it is there, and says so in the list.
  func drop(_ entry: Entry, _ connection: Connection) throws(PostgresError) {
    let operation = "dropping the before-images \(entry.image)"
    // By oid: somebody may have renamed it, and given its name to another table. Where a dump was restored the oid may be anybody's, so
    // that only the transaction on record proves it; there the table is the one of that name with a column that only images have.
    let present = try connection.query(
      """
      SELECT n.nspname::text, c.relname::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
           LATERAL (SELECT c.oid = i.image_oid AND a.xmin = mod(i.created_xid, 4294967296)::text::xid AS is_of_run
                    FROM \(admin).before_images AS i, pg_attribute AS a
                    WHERE i.image_oid = \(entry.imageOid) AND a.attrelid = c.oid AND a.attname = 'ctid') AS m
      WHERE c.relkind = 'r'
        AND (m.is_of_run
             OR n.nspname = \(Literal(admin.name)) AND c.relname = \(Literal(entry.image.name.name))
                AND EXISTS (SELECT FROM pg_attribute AS p WHERE p.attrelid = c.oid AND p.attname = \(Literal(BeforeImageTable.previousXID.name))))
      ORDER BY m.is_of_run DESC LIMIT 1
      """,
      operation
    )
    if present.count == 1 {
      let name = QualifiedName(schema: present.text(0, 0) ?? "", name: present.text(0, 1) ?? "")
      try connection.execute("DROP TABLE \(name)", operation)
    }
    try connection.execute(
      """
      UPDATE \(admin).before_images SET dropped_at = clock_timestamp() AT TIME ZONE 'UTC'
      WHERE image_oid = \(entry.imageOid)
      """,
      operation
    )
  }
}
