import Libpq

/// Which rows of the admin tables are of one pair of schemas: several pairs may have one admin schema between them.
///
/// A table of that name in another pair is another table. Rows that came from files have no staging schema.
struct PairSQL {
  let schemas: Schemas
  /// In which schemas the staging tables of refusals lie now, by what the refusals call them (``StagingSource/identity``): one may
  /// have been renamed since. Tables that can't be looked for from here are not among them.
  var stagingSchemas: [String: String] = [:]

  /// A row of `merge_logs` or `merge_errors`.
  ///
  /// - Parameter row: its alias.
  func owns(_ row: SQL) -> SQL {
    any { pair in
      """
      (\(row).production_schema = \(Literal(pair.production)) AND coalesce(\(row).staging_schema = \(Literal(pair.staging)), true))
      """
    }
  }

  /// The same of a row of `merge_errors`, whose tables may lie in other schemas by now.
  func ownsRefusal(_ row: SQL) -> SQL {
    let known = stagingSchemas.sorted { $0.key < $1.key }.map { "(\(Literal($0.key)), \(Literal($0.value)))" as SQL }
    let staging: SQL =
      known.isEmpty
      ? "\(row).staging_schema"
      : """
      coalesce((SELECT k.name FROM (VALUES \(known.joined(", "))) AS k (source, name) WHERE k.source = \(row).staging_source),
               \(row).staging_schema)
      """
    return any { pair in
      """
      ((\(row).production_schema = \(Literal(pair.production))
        OR (to_jsonb(\(row)) ->> 'production_oid')::oid IN (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                                           WHERE n.nspname = \(Literal(pair.production))))
       AND coalesce(\(staging) = \(Literal(pair.staging)), true))
      """
    }
  }

  /// A row of `merge_summary`, by the parameters of its run: of one of the pairs that the run has merged.
  func ownsRun(_ run: SQL) -> SQL {
    any { pair in
      let (staging, production) = (Literal(pair.staging), Literal(pair.production))
      return """
        ((coalesce(\(run).parameters #>> '{schemas,production}', 'production') = \(production)
          AND (coalesce(\(run).parameters #>> '{schemas,staging}', 'staging') = \(staging)
               OR coalesce(\(run).parameters ? 'snapshot', false)))
         OR coalesce(\(run).parameters #> '{schemas,other_pairs}'
                       @> jsonb_build_array(jsonb_build_object('staging', \(staging), 'production', \(production))), false))
        """
    }
  }

  /// The same where nothing of the run may be of another pair: for what takes the whole run away.
  func ownsAllOfRun(_ run: SQL) -> SQL {
    let isOwn = schemas.pairs.map { pair in
      "(o.pair ->> 'staging' = \(Literal(pair.staging)) AND o.pair ->> 'production' = \(Literal(pair.production)))"
        as SQL
    }
    let main = schemas.pairs.map { "\(Literal($0.production))" as SQL }.joined(", ")
    return """
      (\(ownsRun(run)) AND coalesce(\(run).parameters #>> '{schemas,production}', 'production') IN (\(main))
       AND NOT EXISTS (SELECT FROM jsonb_array_elements(coalesce(\(run).parameters #> '{schemas,other_pairs}', '[]')) AS o (pair)
                       WHERE (\(isOwn.joined(" OR "))) IS NOT TRUE))
      """
  }

  private func any(_ condition: (SchemaPair) -> SQL) -> SQL {
    let conditions = schemas.pairs.map(condition)
    return conditions.count == 1 ? conditions[0] : "(\(conditions.joined(" OR ")))"
  }

  /// What a row's table is called: with its schema where there are several pairs.
  func tableName(_ row: SQL) -> SQL {
    schemas.hasSeveralPairs ? "concat(\(row).production_schema, '.', \(row).table_name)" : "\(row).table_name::text"
  }

  /// A row of any table with a `run_id`, by its run: for tables of an earlier version.
  func ownsByRun(_ row: SQL) -> SQL {
    "\(row).run_id IN (SELECT r.id FROM \(Identifier(schemas.admin)).merge_summary AS r WHERE \(ownsRun("r")))"
  }

  /// Gives rows from before the schemas had columns those of their runs; where no run says them, they are of the contract's pair.
  static func fill(_ table: QualifiedName, admin: Identifier) -> SQL {
    let standard = Schemas()
    return """
      UPDATE \(table) AS t
      SET production_schema = coalesce(r.production_schema, \(Literal(standard.production))),
          staging_schema = CASE WHEN r.is_replay IS NOT TRUE THEN coalesce(r.staging_schema, \(Literal(standard.staging))) END
      FROM \(table) AS own LEFT JOIN (
        SELECT id, parameters #>> '{schemas,production}' AS production_schema,
               parameters #>> '{schemas,staging}' AS staging_schema, parameters ? 'snapshot' AS is_replay
        FROM \(admin).merge_summary
      ) AS r ON r.id = own.run_id
      WHERE own.id = t.id AND t.production_schema IS NULL
      """
  }
}

extension PairSQL {
  /// Looks where the staging tables lie whose refusals are on record.
  init(schemas: Schemas, production: Connection, staging: Connection) throws(PostgresError) {
    self.init(schemas: schemas)
    let operation = "looking for the tables of refused rows"
    let refused = try production.query(
      """
      SELECT DISTINCT e.staging_source FROM \(Identifier(schemas.admin)).merge_errors AS e
      WHERE e.retried_at IS NULL AND e.staging_source IS NOT NULL
      """,
      operation
    )
    guard refused.count > 0 else { return }
    let place = try StagingSource.Place(isElsewhere: production !== staging, staging)
    let sources = (0..<refused.count).compactMap { refused.text($0, 0) }
    let ofEach = sources.compactMap { source in
      StagingSource.oid(of: source, in: place).map { (source: source, oid: $0) }
    }
    let found = try staging.query(
      """
      SELECT o.source, n.nspname::text
      FROM unnest($1::text[], $2::text[]) AS o (source, oid)
      JOIN pg_class c ON c.oid = o.oid::oid JOIN pg_namespace n ON n.oid = c.relnamespace
      """,
      [.textArray(ofEach.map(\.source)), .textArray(ofEach.map(\.oid))],
      operation
    )
    for row in 0..<found.count { stagingSchemas[found.text(row, 0) ?? ""] = found.text(row, 1) }
  }
}
