import Libpq

/// The refusals of rows of staging that stand: the row is there as it was refused, and was neither retried nor dismissed. Beside
/// them the dismissed ones: nobody reads their rows, and nobody misses them.
struct RefusalStanding {
  let admin: Identifier
  let production: Connection
  let staging: Connection

  /// A refusal, and where its row lies now.
  struct Refusal: Sendable {
    /// Its id in `merge_errors`.
    let id: Int
    let runID: Int
    let sqlState: SQLState?
    let address: UInt64
    let isDismissed: Bool
  }

  /// Notes of all other refusals of a table that they stand no more: their rows are gone, or are new ones; and of those that stand
  /// what both sides are called now. Goes with production's next statement.
  func retire(except standing: [Refusal], of table: TablePlan, _ source: StagingSource) throws(PostgresError) {
    try production.queryWithNext(
      Query(
        """
        UPDATE \(admin).merge_errors AS e
        SET table_name = $2, production_schema = $4, staging_schema = $6,
            retried_at = CASE WHEN NOT e.id = ANY ($3::text[]::bigint[]) AND e.dismissed_at IS NULL
                              THEN clock_timestamp() AT TIME ZONE 'UTC' END
        WHERE e.staging_source = ANY ($1) AND \(Self.isOf("$5", table: "$2", schema: "$4")) AND e.retried_at IS NULL
          AND e.staging_xmin IS NOT NULL
          AND (NOT e.id = ANY ($3::text[]::bigint[]) AND e.dismissed_at IS NULL OR e.table_name <> $2 OR e.production_schema <> $4
               OR (e.staging_schema = $6) IS NOT TRUE)
        """,
        [
          .textArray(source.identities), .text(table.plainName), .textArray(standing.map { "\($0.id)" }),
          .text(table.production.schema.name), .bigint(Int(table.productionOid)), .text(table.staging.schema.name),
        ],
        "checking which refused rows of \(table.staging) are still there"
      )
    )
  }

  /// Reads which refusals of a table stand.
  ///
  /// - Parameter sqlStates: only rows refused with one of these; nil for all.
  func refusals(of table: TablePlan, _ source: StagingSource, sqlStates: [SQLState]? = nil) throws(PostgresError)
    -> [Refusal]
  {
    try unretried(of: table, source, sqlStates: sqlStates).filter { !$0.isDismissed }
  }

  /// Reads which refusals of a table stand, and which were dismissed.
  ///
  /// A row is known again by its address and its transaction, or, when staging was rewritten since, by its key and its
  /// transaction; of several such rows by all that it holds. Where that does not tell either, since staging has other columns now,
  /// all of them are taken for refused: a row is rather read twice than never.
  ///
  /// - Parameter sqlStates: only rows refused with one of these; nil for all.
  func unretried(of table: TablePlan, _ source: StagingSource, sqlStates: [SQLState]? = nil) throws(PostgresError)
    -> [Refusal]
  {
    let refused = try onRecord(unretriedQuery(of: table, source, sqlStates: sqlStates))
    return try there(refused, in: table.staging, key: table.keyColumns.map { ($0.name, $0.stagedName) })
  }

  /// What ``unretried(of:_:sqlStates:)`` asks at first.
  func unretriedQuery(of table: TablePlan, _ source: StagingSource, sqlStates: [SQLState]? = nil) -> Query {
    query(
      source.identities,
      fileNode: source.fileNode,
      of: table.production,
      oid: table.productionOid,
      sqlStates: sqlStates,
      "checking which refused rows of \(table.staging) are still there"
    )
  }

  /// What `merge_errors` has of a staging table, a parameter a column: ids, runs, transactions, addresses or else keys, SQLSTATEs,
  /// whether they were dismissed, and hashes of what those without an address held.
  struct OnRecord {
    let columns: [Parameter]
    let ids: [Int]
    let operation: String
  }

  /// A refusal `e` is of a production table: of that with the oid, whatever it was called then, or else of that with the name.
  private static func isOf(_ oid: SQL, table: SQL, schema: SQL) -> SQL {
    "(e.production_oid = \(oid) OR e.table_name = \(table) AND e.production_schema = \(schema))"
  }

  /// What ``onRecord(_:)`` asks.
  ///
  /// - Parameter oid: the production table's; nil where it is not known, and only the name counts.
  func query(
    _ sources: [String],
    fileNode: Int,
    of table: QualifiedName,
    oid: UInt32? = nil,
    sqlStates: [SQLState]? = nil,
    _ operation: String
  ) -> Query {
    Query(
      """
      SELECT array_agg(e.id::text ORDER BY e.id), array_agg(coalesce(e.run_id, 0)::text ORDER BY e.id),
             array_agg(e.staging_xmin::text ORDER BY e.id),
             array_agg(CASE WHEN e.staging_file_node = $2 THEN e.staging_address::text ELSE '' END ORDER BY e.id),
             array_agg(CASE WHEN e.staging_file_node = $2 THEN '' ELSE e.row_key::text END ORDER BY e.id),
             array_agg(coalesce(e.sqlstate, '') ORDER BY e.id), array_agg((e.dismissed_at IS NOT NULL)::text ORDER BY e.id),
             array_agg(CASE WHEN e.staging_file_node = $2 THEN '' ELSE coalesce(\(Self.hash("e.row_data")), '') END ORDER BY e.id),
             array_to_json(array_agg(e.id ORDER BY e.id))::text
      FROM \(admin).merge_errors AS e
      WHERE e.staging_source = ANY ($1) AND \(Self.isOf("$6", table: "$3", schema: "$5")) AND e.staging_xmin IS NOT NULL
        AND e.retried_at IS NULL AND ($4::text[] IS NULL OR e.sqlstate = ANY ($4))
      """,
      [
        .textArray(sources), .bigint(fileNode), .text(table.name.name),
        sqlStates.map { .textArray($0.map(\.code)) } ?? Parameter(binary: nil, type: TypeOID.textArray),
        .text(table.schema.name), .bigint(oid.map(Int.init)),
      ],
      operation
    )
  }

  /// Of a row as JSON. In the text of JSON nothing depends on settings, and the hash of a server is the same for ever.
  private static func hash(_ json: SQL) -> SQL { "hashtextextended((\(json))::text COLLATE \"C\", 0)::text" }

  func onRecord(_ query: Query) throws(PostgresError) -> OnRecord {
    let refused = try production.query(query)
    return OnRecord(
      columns: (0..<8).map { Parameter(binary: refused.bytes(0, $0), type: TypeOID.textArray) },
      ids: JSONText.decode([Int].self, refused.text(0, 8)) ?? [],
      operation: query.operation
    )
  }

  /// Those whose rows are in staging.
  ///
  /// - Parameter key: the key's columns, by the names on record and in staging.
  func there(_ refused: OnRecord, in table: QualifiedName, key: [(recorded: Identifier, staged: Identifier)])
    throws(PostgresError) -> [Refusal]
  {
    guard !refused.ids.isEmpty else { return [] }
    let key = key.map { "\(Literal($0.recorded.name)), s.\($0.staged)" as SQL }.joined(", ")
    let question = { (contents: SQL?) in
      Query(Self.question(table, key: key, contents: contents), refused.columns, refused.operation)
    }
    let found = try LocalSettings.reading(under: LocalSettings.exactText, on: staging) { () throws(PostgresError) in
      let byContents = try Savepoint.answer(on: staging) { () throws(PostgresError) in
        try staging.query(question(Self.hash(RefusalSQL.contents)))
      }
      // A row that JSON can't hold hides what the others hold, too.
      guard let byContents else { return try staging.query(question(nil)) }
      return byContents
    }
    let matches: [Match] = (0..<found.count).compactMap { row in
      guard let address = found.text(row, 2).flatMap(TupleAddress.init(text:)) else { return nil }
      let refusal = Refusal(
        id: found.integer(row, 0) ?? 0,
        runID: found.integer(row, 1) ?? 0,
        sqlState: found.text(row, 3).flatMap { $0.isEmpty ? nil : SQLState($0) },
        address: address.packed,
        isDismissed: found.bool(row, 4) == true
      )
      return Match(refusal: refusal, isSure: found.bool(row, 5) == true)
    }
    return Self.oneEach(matches)
  }

  /// id, run, address, SQLSTATE, whether it was dismissed, whether the row is surely the refused one.
  ///
  /// - Parameter contents: the hash of what a row holds; nil to go by the key alone.
  private static func question(_ table: QualifiedName, key: SQL, contents: SQL?) -> SQL {
    """
    WITH e AS MATERIALIZED (
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
                    AS e (id, run_id, xmin, address, row_key, sqlstate, is_dismissed, contents)
    ), moved AS MATERIALIZED (
      SELECT e.*, s.ctid AS place, \(contents.map { "e.contents = \($0)" } ?? "false" as SQL) AS is_same
      FROM e JOIN \(table) AS s ON s.xmin = e.xmin::xid AND jsonb_build_object(\(key)) = e.row_key::jsonb
      WHERE e.address = ''
    )
    SELECT e.id::bigint, e.run_id::bigint, s.ctid::text, e.sqlstate, e.is_dismissed::boolean, true
    FROM e JOIN \(table) AS s ON s.ctid = e.address::tid AND s.xmin = e.xmin::xid WHERE e.address <> ''
    UNION ALL
    SELECT m.id::bigint, m.run_id::bigint, m.place::text, m.sqlstate, m.is_dismissed::boolean, m.is_same
    FROM moved AS m
    WHERE m.is_same OR NOT EXISTS (SELECT FROM moved AS o WHERE o.id = m.id AND o.is_same)
    """
  }

  /// A row that a refusal may be of.
  private struct Match {
    let refusal: Refusal
    /// By its address, or by all that it holds.
    let isSure: Bool
  }

  /// A row that was rewritten and refused again is found by both: the last one stands. Where rows hold the same each keeps a
  /// refusal of its own, as long as there are enough; and no row is taken for dismissed that may not be.
  private static func oneEach(_ matches: [Match]) -> [Refusal] {
    var taken: Set<Int> = []
    return Dictionary(grouping: matches, by: \.refusal.address).sorted { $0.key < $1.key }.compactMap { _, ofRow in
      let standing = ofRow.filter { !$0.refusal.isDismissed }
      let candidates = (standing.isEmpty ? ofRow : standing).sorted { $0.refusal.id > $1.refusal.id }
      let match = candidates.first { !taken.contains($0.refusal.id) } ?? candidates.first { !$0.isSure }
      if let match { taken.insert(match.refusal.id) }
      return match?.refusal
    }
  }
}
