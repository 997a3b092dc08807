import Libpq

/// For whoever has no plan, and only reads.
extension RefusalStanding {
  /// Reads which refusals on record, dismissed ones too, have lost their staging rows. The next merge notes them
  /// (``retire(except:of:_:)``); until then whoever only reads leaves them out, as `status` does.
  ///
  /// Rows that can't be looked for from here count as there: those of another database than `staging`'s, those of a table that this
  /// role may not read, and of a rewritten one whose key has another name in staging.
  func gone() throws(PostgresError) -> [Int] {
    guard try AdminSchema.hasProgress(admin, production) else { return [] }
    let tables = try production.query(
      """
      SELECT DISTINCT e.staging_source, e.production_schema, e.table_name
      FROM \(admin).merge_errors AS e
      WHERE e.retried_at IS NULL AND e.staging_xmin IS NOT NULL AND e.staging_source IS NOT NULL AND e.production_schema IS NOT NULL
      """,
      "looking for refused rows"
    )
    guard tables.count > 0 else { return [] }
    let place = try StagingSource.Place(isElsewhere: production !== staging, staging)
    var gone: [Int] = []
    for row in 0..<tables.count {
      let source = tables.text(row, 0) ?? ""
      let table = QualifiedName(
        schema: Identifier(tables.text(row, 1) ?? ""),
        name: Identifier(tables.text(row, 2) ?? "")
      )
      if StagingSource.isOfDumpedServer(source, place) {
        gone += try onRecord(query([source], fileNode: 0, of: table, "looking for refused rows")).ids
      } else if let oid = StagingSource.oid(of: source, in: place) {
        gone += try self.gone(source, oid: oid, of: table)
      }
    }
    return gone
  }

  /// The same for ``isThere(_:)``.
  func goneParameter() throws(PostgresError) -> Parameter { .textArray(try gone().map(String.init)) }

  private func gone(_ source: String, oid: String, of production: QualifiedName) throws(PostgresError) -> [Int] {
    let operation = "checking which refused rows of \(production) are still in staging"
    let found = try staging.query(
      """
      SELECT n.nspname::text, c.relname::text, coalesce(pg_relation_filenode(c.oid), 0)::bigint,
             c.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
             ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::text::oid
      """,
      [.text(oid)],
      operation
    )
    guard found.count > 0 else { return try onRecord(query([source], fileNode: 0, of: production, operation)).ids }
    guard found.bool(0, 3) == true else { return [] }
    let refused = try onRecord(query([source], fileNode: found.integer(0, 2) ?? 0, of: production, operation))
    let keys = try self.production.query(
      """
      SELECT DISTINCT k.name, k.name = ANY ($4::text[])
      FROM \(admin).merge_errors AS e, jsonb_object_keys(e.row_key::jsonb) AS k (name)
      WHERE e.staging_source = $1 AND e.production_schema = $2 AND e.table_name = $3 AND e.retried_at IS NULL
        AND e.staging_xmin IS NOT NULL ORDER BY 1
      """,
      [
        .text(source), .text(production.schema.name), .text(production.name.name),
        Parameter(binary: found.bytes(0, 4), type: TypeOID.textArray),
      ],
      operation
    )
    guard (0..<keys.count).allSatisfy({ keys.bool($0, 1) == true }) else { return [] }
    let names = (0..<keys.count).map { Identifier(keys.text($0, 0) ?? "") }
    let staged = QualifiedName(schema: Identifier(found.text(0, 0) ?? ""), name: Identifier(found.text(0, 1) ?? ""))
    let there = Set(try self.there(refused, in: staged, key: names.map { ($0, $0) }).map(\.id))
    return refused.ids.filter { !there.contains($0) }
  }

  /// A row `e` of `merge_errors` that is none of these.
  ///
  /// - Parameter parameter: the place of ``goneParameter()`` among those of the statement, as `$3`.
  static func isThere(_ parameter: SQL) -> SQL {
    "e.id NOT IN (SELECT g.id::bigint FROM unnest(\(parameter)::text[]) AS g (id))"
  }
}
