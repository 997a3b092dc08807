import Libpq

/// The rights that a role needs to merge, owning nothing.
struct Grants {
  let schemas: Schemas
  let role: Identifier
  /// What staging calls a production table.
  let stagingName: (Identifier) -> Identifier

  func statements(_ tables: [CatalogTable], _ connection: Connection) throws(PostgresError) -> [SQL] {
    let database = try connection.query("SELECT current_database()::text", "reading the database's name")
    let schemaNames = [schemas.staging, schemas.production, schemas.admin].map { Identifier($0) }
    let admin = Identifier(schemas.admin)
    let production = tables.map { "\($0.name)" as SQL }.joined(", ")
    let staging = tables.map(staging)
    // Before-images are an addition.
    let written = AdminSchema.tableNames.filter { $0.name != "before_images" }
    var statements: [SQL] = [
      "GRANT TEMPORARY ON DATABASE \(Identifier(database.text(0, 0) ?? "")) TO \(role)",
      "GRANT USAGE ON SCHEMA \(schemaNames.joined()) TO \(role)",
      "GRANT SELECT, UPDATE ON \(staging.joined(", ")) TO \(role)",
      "GRANT SELECT, INSERT, UPDATE ON \(production) TO \(role)",
      "GRANT SELECT, INSERT, UPDATE ON \(written.map { "\(admin).\($0)" as SQL }.joined(", ")) TO \(role)",
      "GRANT SELECT ON ALL TABLES IN SCHEMA \(admin) TO \(role)",
      "GRANT USAGE ON ALL SEQUENCES IN SCHEMA \(admin) TO \(role)",
    ]
    if try AdminSchema(schemas: schemas).hasFormerProgress(connection) {
      statements.append("GRANT DELETE ON \(admin).\(Identifier(SnapshotProgress.formerTable)) TO \(role)")
    }
    statements += try sequences(tables, connection).map { "GRANT USAGE ON SEQUENCE \($0) TO \(role)" }
    return statements
  }

  private func staging(_ table: CatalogTable) -> SQL {
    "\(QualifiedName(schema: Identifier(schemas.staging), name: stagingName(table.name.name)))"
  }

  /// What a role needs beyond a merge, each with what it is needed for.
  func additions(_ tables: [CatalogTable]) -> [(purpose: String, statement: SQL)] {
    let admin = Identifier(schemas.admin)
    let production = tables.map { "\($0.name)" as SQL }.joined(", ")
    let staging = tables.map(staging)
    return [
      ("merge --before-images", "GRANT CREATE ON SCHEMA \(admin) TO \(role)"),
      ("merge --before-images", "GRANT INSERT, UPDATE ON \(admin).before_images TO \(role)"),
      ("rollback, and repair --kind extra", "GRANT DELETE ON \(production) TO \(role)"),
      ("replay --into-staging", "GRANT INSERT ON \(staging.joined(", ")) TO \(role)"),
      ("merge --cleanup, and cleanup", "GRANT TRUNCATE ON \(staging.joined(", ")) TO \(role)"),
      ("cleanup --older-than", "GRANT DELETE ON ALL TABLES IN SCHEMA \(admin) TO \(role)"),
    ]
  }

  /// Sequences behind column defaults; those behind identity columns need no right.
  private func sequences(_ tables: [CatalogTable], _ connection: Connection) throws(PostgresError) -> [QualifiedName] {
    let rows = try connection.query(
      """
      SELECT DISTINCT n.nspname::text, s.relname::text
      FROM pg_attrdef f
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
      JOIN pg_namespace n ON n.oid = s.relnamespace
      WHERE f.adrelid = ANY ($1::oid[])
      ORDER BY 1, 2
      """,
      [.oidArray(tables.map(\.oid))],
      "reading the sequences of the production tables"
    )
    return (0..<rows.count).map { QualifiedName(schema: rows.text($0, 0) ?? "", name: rows.text($0, 1) ?? "") }
  }
}
