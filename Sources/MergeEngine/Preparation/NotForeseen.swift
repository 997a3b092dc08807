import Libpq

/// What a dry run can't foresee of a table: then its count of errors is a lower bound, and it says why.
struct NotForeseen {
  let table: TablePlan
  let production: Connection
  let staging: Connection

  private var isSplit: Bool { staging !== production }

  func findings() throws(PostgresError) -> [Finding] {
    let objections = try Objections(table, production).found()
    let reasons =
      try fromCatalog() + from(objections) + fromEncodings()
      + WideIndexEntries(table: table, production: production).reasons(staging)
    let findings = try handovers(objections) + likeParents(objections) + likeKeys()
    guard !reasons.isEmpty else { return findings }
    return findings + [
      .warning(
        .notForeseen,
        table.name,
        "not foreseen: \(reasons.joined(separator: "; ")). A merge may refuse rows of \(table.staging) that are not counted here."
      )
    ]
  }

  /// Which values come free in the run, staging's rows would say.
  private func handovers(_ objections: [Objection]) -> [Finding] {
    guard isSplit else { return [] }
    let names = objections.compactMap { objection -> String? in
      if case .handover(let key) = objection.remedy { key.name } else { nil }
    }
    guard !names.isEmpty else { return [] }
    return [
      .warning(
        .notForeseen,
        table.name,
        "not foreseen: which values of \(names.joined(separator: ", ")) one row leaves to another. A merge may write rows that are "
          + "counted as errors here because another row has their value."
      )
    ]
  }

  /// Which staged rows are parents, where only production's types and collations would say.
  private func likeParents(_ objections: [Objection]) -> [Finding] {
    guard isSplit else { return [] }
    let names = objections.compactMap { objection -> String? in
      guard case .parent(let key) = objection.remedy, key.pairs.contains(where: { !$0.isAlikeElsewhere }) else {
        return nil
      }
      return key.name
    }
    guard !names.isEmpty else { return [] }
    return [
      .warning(
        .notForeseen,
        table.name,
        "not foreseen: which rows of staging are parents for \(names.joined(separator: ", ")) though they are spelled otherwise. A merge "
          + "may write rows that are counted as errors here because their parent is missing."
      )
    ]
  }

  /// Which rows of several batches have the same key, where only production's collations and types would say: another database need
  /// not have them, and its texts are compared.
  private func likeKeys() throws(PostgresError) -> [Finding] {
    guard isSplit else { return [] }
    let collations = table.keyColumns.compactMap(\.baseType.nonDeterministicCollation).map { "collation \($0)" }
    let types = try typesWithEqualityOfTheirOwn().map { "type \($0)" }
    guard !(collations + types).isEmpty else { return [] }
    return [
      .warning(
        .notForeseen,
        table.name,
        "not foreseen: which keys are the same by production's \((collations + types).joined(separator: ", ")). A merge may count rows "
          + "as updated, unchanged, stale or duplicates that are counted as inserted or updated here."
      )
    ]
  }

  /// Of the key columns that travel as text the types that may take two texts for equal; not enums, whose labels are as good as
  /// they themselves.
  private func typesWithEqualityOfTheirOwn() throws(PostgresError) -> [String] {
    let texts = table.keyColumns.filter { $0.travel == .text && !$0.baseType.equalityIsBytewise }
    guard !texts.isEmpty else { return [] }
    let rows = try production.query(
      """
      SELECT format_type(t.oid, NULL)
      FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
      WHERE t.oid = ANY ($1::oid[]) AND t.typtype <> 'e' AND coalesce(e.typtype <> 'e', true)
      ORDER BY t.oid
      """,
      [.oidArray(texts.map(\.baseType.oid))],
      "reading the types of the key of \(table.production)"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  private func fromCatalog() throws(PostgresError) -> [String] {
    let rows = try production.query(
      """
      WITH RECURSIVE \(DescendantTables.tree(of: table.productionOid)), domains AS (
        SELECT a.atttypid AS oid FROM pg_attribute a
        WHERE a.attrelid = \(table.productionOid) AND a.attnum > 0 AND NOT a.attisdropped
        UNION
        SELECT t.typbasetype FROM domains d JOIN pg_type t ON t.oid = d.oid WHERE t.typtype = 'd'
      )
      SELECT 'rows of one batch that exclude each other (' || string_agg(DISTINCT c.conname::text, ', ') || ')'
      FROM pg_constraint c WHERE c.conrelid IN (SELECT oid FROM tree) AND c.conexclop IS NOT NULL AND c.conindid <> \(table.keyIndexOid)
      UNION ALL
      SELECT 'what the triggers ' || string_agg(DISTINCT t.tgname::text, ', ') || ' make of a row'
      FROM pg_trigger t
      -- INSERT is 4, UPDATE 16 (pg_trigger.h).
      WHERE t.tgrelid IN (SELECT oid FROM tree) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype::integer & 20 <> 0
      UNION ALL
      SELECT 'parents that this role can''t read (' || string_agg(DISTINCT f.conname::text, ', ') || ')'
      FROM pg_constraint f
      WHERE f.conrelid = \(table.productionOid) AND f.contype = 'f'
        AND (NOT has_table_privilege(f.confrelid, 'SELECT') OR row_security_active(f.confrelid))
      UNION ALL
      SELECT 'who refers, or is referred to, by columns that a merge may change (' || string_agg(DISTINCT f.conname::text, ', ') || ')'
      FROM pg_constraint f
      WHERE f.contype = 'f' AND \(table.productionOid)::oid IN (f.conrelid, f.confrelid) AND f.conparentid = 0
        AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.confrelid AND i.indisprimary AND NOT f.confkey <@ i.indkey::int2[])
      UNION ALL
      SELECT 'generated columns that are NOT NULL (' || string_agg(a.attname::text, ', ' ORDER BY a.attnum) || ')'
      FROM pg_attribute a
      WHERE a.attrelid = \(table.productionOid) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> '' AND a.attnotnull
      UNION ALL
      SELECT * FROM (
        WITH RECURSIVE ways AS (
          SELECT f.confrelid AS oid FROM pg_constraint f
          WHERE f.conrelid = \(table.productionOid) AND f.contype = 'f' AND f.confrelid <> f.conrelid
          UNION
          SELECT f.confrelid FROM ways JOIN pg_constraint f ON f.conrelid = ways.oid AND f.contype = 'f'
        )
        SELECT 'rows that refer to each other in a circle through other tables (they are merged with --atomic, where a foreign key '
               || 'of the circle is DEFERRABLE INITIALLY DEFERRED)'
        FROM ways WHERE oid = \(table.productionOid)
      ) AS circle
      UNION ALL
      SELECT 'checks of the whole row (' || string_agg(c.conname::text, ', ') || ')'
      FROM pg_constraint c WHERE c.conrelid = \(table.productionOid) AND c.contype = 'c' AND 0::smallint = ANY (c.conkey)
      UNION ALL
      -- Whoever says IMMUTABLE of a function has promised that it reads nothing.
      SELECT 'what functions of checks (' || string_agg(DISTINCT c.conname::text, ', ') || ') find out about rows that the merge itself writes'
      FROM pg_constraint c
      JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass
      JOIN pg_proc p ON p.oid = d.refobjid AND p.provolatile <> 'i'
      WHERE c.contype = 'c' AND (c.conrelid IN (SELECT oid FROM tree) OR c.contypid IN (SELECT oid FROM domains))
      UNION ALL
      SELECT 'the rules of ' || (count(*) - \(Objections.ownRulesLimit)) || ' of the partitions that have some of their own'
      FROM (\(Objections.partitionsWithOwnRules(of: table.productionOid))) AS o
      HAVING count(*) > \(Objections.ownRulesLimit)
      """,
      "looking for what can't be foreseen of \(table.production)"
    )
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  /// Text that comes from a database of another encoding; UTF-8 holds what all others can say.
  private func fromEncodings() throws(PostgresError) -> [String] {
    guard isSplit else { return [] }
    func encoding(_ connection: Connection) throws(PostgresError) -> String {
      try connection.query("SELECT current_setting('server_encoding')", "reading the encoding").text(0, 0) ?? ""
    }
    let (source, target) = (try encoding(staging), try encoding(production))
    guard source != target, target != "SQL_ASCII", target != "UTF8" || source == "SQL_ASCII" else { return [] }
    return ["text in staging's encoding, \(source), that production's, \(target), can't hold"]
  }

  private func from(_ found: [Objection]) -> [String] {
    let known = Set(table.columns.map(\.name))
    let isAskable = Questions.areAskable(found, table)
    return found.indices.compactMap { index in
      let objection = found[index]
      // Some end with the comma of a clause that goes on.
      let words = objection.words.hasSuffix(",") ? String(objection.words.dropLast()) : objection.words
      guard known.isSuperset(of: objection.columns) else {
        let missing = objection.columns.filter { !known.contains($0) }.map(\.name).joined(separator: ", ")
        return "rows \(words), since staging has no \(missing)"
      }
      guard !isAskable[index], isSplit || objection.sharedKey != nil else { return nil }
      return "rows \(words)"
    }
  }
}
