import Libpq

/// Tables that a publication keeps from being updated, since nothing identifies their rows to subscribers.
struct ReplicaIdentity {
  let relation: QualifiedName
  let connection: Connection

  /// The statements that mend it, if this is what an error is about.
  func remedy(for error: PostgresError) throws(PostgresError) -> String? {
    if error.sqlState == .invalidColumnReference { return try remedyForPart(error) }
    guard error.sqlState == .objectNotInPrerequisiteState else { return nil }
    let rows = try connection.query(
      """
      WITH RECURSIVE tree AS (
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2
        UNION ALL
        SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      ), keys AS (
        SELECT c.oid, n.nspname, c.relname, c.relreplident,
               EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS has_key,
               EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) AS has_index,
               (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
                  AND i.indexprs IS NULL
                  AND NOT EXISTS (SELECT FROM pg_attribute a
                                  WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[]) AND NOT a.attnotnull)
                ORDER BY i.indnkeyatts, x.relname LIMIT 1) AS index_name
        FROM tree JOIN pg_class c ON c.oid = tree.oid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r'
      )
      SELECT nspname::text, relname::text, has_key, index_name::text FROM keys
      WHERE relreplident = 'n' OR relreplident = 'd' AND NOT has_key OR relreplident = 'i' AND NOT has_index
      ORDER BY nspname, relname LIMIT 10
      """,
      [.text(relation.schema.name), .text(relation.name.name)],
      "reading the replica identity of \(relation)"
    )
    guard rows.count > 0 else { return error.detail ?? error.hint }
    let statements = (0..<rows.count).map { row -> SQL in
      let table = QualifiedName(schema: rows.text(row, 0) ?? "", name: rows.text(row, 1) ?? "")
      let index = rows.text(row, 3).map { "USING INDEX \(Identifier($0))" as SQL }
      return "ALTER TABLE \(table) REPLICA IDENTITY \(rows.bool(row, 2) == true ? "DEFAULT" : index ?? "FULL");"
    }
    return "A publication must tell its subscribers which row was changed: \(statements.joined(" ").text)"
  }

  /// A publication of some rows, or some columns, decides about them by columns that do not identify a row.
  private func remedyForPart(_ error: PostgresError) throws(PostgresError) -> String? {
    let rows = try connection.query(
      """
      SELECT p.pubname::text, pg_get_expr(r.prqual, r.prrelid),
             CASE WHEN r.prattrs IS NOT NULL
                  THEN array_to_string(ARRAY(
                    SELECT quote_ident(a.attname) FROM pg_attribute a
                    WHERE a.attrelid = r.prrelid AND a.attnum > 0
                      AND (a.attnum = ANY (r.prattrs::int2[])
                           OR EXISTS (SELECT FROM pg_index i
                                      WHERE i.indrelid = r.prrelid AND a.attnum = ANY (i.indkey::int2[])
                                        AND (i.indisprimary AND c.relreplident = 'd' OR i.indisreplident)))
                    ORDER BY a.attnum), ', ') END
      FROM pg_publication_rel r
      JOIN pg_publication p ON p.oid = r.prpubid
      JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND p.pubupdate AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)
      ORDER BY p.pubname
      """,
      [.text(relation.schema.name), .text(relation.name.name)],
      "reading the publications of \(relation)"
    )
    let remedies = (0..<rows.count).map { row -> SQL in
      let publication = Identifier(rows.text(row, 0) ?? "")
      guard let columns = rows.text(row, 2) else {
        return "publication \(publication): ALTER TABLE \(relation) REPLICA IDENTITY FULL;"
      }
      let filter = rows.text(row, 1).map { " WHERE \(SQL.uncheckedFromServer($0))" as SQL } ?? ""
      return """
        publication \(publication): ALTER PUBLICATION \(publication) DROP TABLE \(relation); \
        ALTER PUBLICATION \(publication) ADD TABLE \(relation) (\(SQL.uncheckedFromServer(columns)))\(filter);
        """
    }
    let detail = error.detail.map { "\($0) " } ?? ""
    return remedies.isEmpty ? error.detail ?? error.hint : "\(detail)\(remedies.joined(" ").text)"
  }
}
