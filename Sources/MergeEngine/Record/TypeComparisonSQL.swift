import Libpq

/// The guide's comparison of types, with its four verdicts and this configuration's schemas.
///
/// Names, types and verdicts are those of `information_schema`, which the guide asks, and whose views are so deep that the
/// server takes minutes over some dozens of tables; these tables of the catalog lead by their indexes from each column of
/// production to its one column of staging.
struct TypeComparisonSQL {
  let schemas: Schemas
  /// What staging calls otherwise.
  var rules = ColumnRules()

  /// table_name, column_name, target_data_type, staging_data_type, status
  var query: SQL { schemas.pairs.map(query).joined("\nUNION ALL\n") }

  private func query(_ pair: SchemaPair) -> SQL {
    let name: SQL = schemas.hasSeveralPairs ? "concat(tn.nspname, '.', tc.relname)" : "tc.relname"
    return """
      SELECT \(name)::information_schema.sql_identifier AS table_name,
             ta.attname::information_schema.sql_identifier AS column_name,
             t.data_type::information_schema.character_data AS target_data_type,
             s.data_type::information_schema.character_data AS staging_data_type,
             v.status
      FROM pg_namespace tn
      JOIN pg_class tc ON tc.relnamespace = tn.oid AND tc.relkind IN ('r', 'p')
      JOIN pg_namespace sn ON sn.nspname = \(Literal(pair.staging))
      JOIN pg_class sc ON \(tableMatch(pair)) AND sc.relnamespace = sn.oid AND sc.relkind IN ('r', 'p')
      JOIN pg_attribute ta ON ta.attrelid = tc.oid AND ta.attnum > 0 AND NOT ta.attisdropped
      JOIN pg_attribute sa ON sa.attrelid = sc.oid AND \(columnMatch(pair)) AND sa.attnum > 0 AND NOT sa.attisdropped
      CROSS JOIN LATERAL (\(description(of: "ta"))) AS t
      CROSS JOIN LATERAL (\(description(of: "sa"))) AS s
      CROSS JOIN LATERAL (
        SELECT CASE
                 WHEN t.data_type <> s.data_type THEN 'DATA TYPE MISMATCH'
                 WHEN t.length <> s.length THEN 'LENGTH MISMATCH'
                 WHEN t.precision <> s.precision THEN 'PRECISION MISMATCH'
                 WHEN t.scale <> s.scale THEN 'SCALE MISMATCH'
               END AS status
      ) AS v
      WHERE tn.nspname = \(Literal(pair.production)) AND v.status IS NOT NULL
      """
  }

  /// What is said of the pair's tables: with their schema, or of all tables of the name.
  private func rules(of pair: SchemaPair) -> [(table: String, rules: ColumnRules.TableRules)] {
    let prefix = pair.production + "."
    return rules.tables.sorted { $0.key < $1.key }.compactMap { name, rules in
      if name.hasPrefix(prefix) { return (String(name.dropFirst(prefix.count)), rules) }
      return schemas.pairs.contains { name.hasPrefix($0.production + ".") } ? nil : (name, rules)
    }
  }

  private func tableMatch(_ pair: SchemaPair) -> SQL {
    let names = rules(of: pair).compactMap { table, rules in
      rules.stagingTable.map { "tc.relname = \(Literal(table)) THEN \(Literal($0))" as SQL }
    }
    let others: SQL = "EXISTS (SELECT FROM pg_class e WHERE e.relname = tc.relname AND e.relnamespace = sn.oid)"
    return match(
      "sc.relname",
      "tc.relname",
      names.isEmpty ? nil : "CASE WHEN \(names.joined(" WHEN ")) END",
      unless: others
    )
  }

  private func columnMatch(_ pair: SchemaPair) -> SQL {
    let names = rules(of: pair).flatMap { table, rules in
      (rules.columns ?? [:]).sorted { $0.key < $1.key }.map { own, staged -> SQL in
        "tc.relname = \(Literal(table)) AND ta.attname = \(Literal(own)) THEN \(Literal(staged))"
      }
    }
    let others: SQL = """
      EXISTS (SELECT FROM pg_attribute e WHERE e.attrelid = sc.oid AND e.attname = ta.attname AND NOT e.attisdropped)
      """
    return match(
      "sa.attname",
      "ta.attname",
      names.isEmpty ? nil : "CASE WHEN \(names.joined(" WHEN ")) END",
      unless: others
    )
  }

  /// - Parameters:
  ///   - name: what the file calls it; NULL, or nil, where it does not say.
  ///   - others: whether staging has the very name, which goes before the same one in another case.
  private func match(_ staged: SQL, _ own: SQL, _ name: SQL?, unless others: SQL) -> SQL {
    let wanted = name.map { "coalesce((\($0))::name, \(own))" as SQL } ?? own
    guard rules.foldsCase else { return "\(staged) = \(wanted)" }
    return "(\(staged) = \(wanted) OR \(wanted) = \(own) AND lower(\(staged)) = lower(\(own)) AND NOT \(others))"
  }

  /// What `information_schema` says of a column's type, or of the one under its domain. Lengths, precisions and scales that the
  /// type itself has can't differ where the types don't, and are left out.
  private func description(of attribute: SQL) -> SQL {
    """
    SELECT CASE WHEN b.typelem <> 0 AND b.typlen = -1 THEN 'ARRAY'
                WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN format_type(b.oid, NULL)
                ELSE 'USER-DEFINED' END AS data_type,
           CASE WHEN b.oid IN (\(TypeOID.bpchar), \(TypeOID.varchar), \(TypeOID.bit), \(TypeOID.varbit)) THEN m.modifier END AS length,
           CASE WHEN b.oid = \(TypeOID.numeric) THEN ((m.modifier - 4) >> 16) & 65535 END AS precision,
           CASE WHEN b.oid = \(TypeOID.numeric) THEN (m.modifier - 4) & 65535 END AS scale
    FROM pg_type d
    JOIN pg_type b ON b.oid = CASE WHEN d.typtype = 'd' THEN d.typbasetype ELSE d.oid END
    CROSS JOIN LATERAL (
      SELECT CASE WHEN d.typtype <> 'd' THEN CASE WHEN \(attribute).atttypmod >= 0 THEN \(attribute).atttypmod END
                  WHEN d.typtypmod >= 0 THEN d.typtypmod END AS modifier
    ) AS m
    WHERE d.oid = \(attribute).atttypid
    """
  }
}
