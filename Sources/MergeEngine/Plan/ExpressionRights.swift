import Libpq

/// Rights on what a written row runs into besides its table: sequences of defaults, and functions of defaults, computed
/// columns, checks and indexes, of its partitions and domains too.
///
/// The server asks for them when the first row is written. Trigger functions are not among them: whoever may write fires
/// them.
struct ExpressionRights {
  let table: TablePlan
  let connection: Connection

  /// What is asked about a table.
  static func query(_ table: TablePlan) -> Query {
    Query(
      """
      WITH RECURSIVE \(DescendantTables.tree(of: table.productionOid)), domains AS (
        SELECT a.atttypid AS oid FROM pg_attribute a
        WHERE a.attrelid = \(table.productionOid) AND a.attnum > 0 AND NOT a.attisdropped
        UNION
        SELECT t.typbasetype FROM domains d JOIN pg_type t ON t.oid = d.oid WHERE t.typtype = 'd'
      ), expressions AS (
        -- Only what staging does not bring takes its default.
        SELECT 'pg_attrdef'::regclass AS class, f.oid,
               CASE WHEN a.attgenerated = '' THEN 'default of ' ELSE 'computed column ' END || a.attname AS place
        FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
        WHERE f.adrelid = \(table.productionOid) AND (a.attgenerated <> '' OR a.attname <> ALL ($1::text[]))
        UNION ALL
        SELECT 'pg_constraint'::regclass, c.oid, 'check ' || c.conname FROM pg_constraint c
        WHERE c.contype = 'c' AND (c.conrelid IN (SELECT oid FROM tree) OR c.contypid IN (SELECT oid FROM domains))
        UNION ALL
        SELECT 'pg_class'::regclass, i.indexrelid, 'index ' || x.relname
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid IN (SELECT oid FROM tree) AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
      ), needs AS (
        SELECT d.refclassid AS class, d.refobjid AS oid, e.place
        FROM expressions e JOIN pg_depend d ON d.classid = e.class AND d.objid = e.oid
      )
      SELECT DISTINCT format('EXECUTE on the function %s (%s)', p.oid::regprocedure, n.place)
      FROM needs n
      LEFT JOIN pg_operator o ON n.class = 'pg_operator'::regclass AND o.oid = n.oid
      JOIN pg_proc p ON p.oid = CASE WHEN n.class = 'pg_proc'::regclass THEN n.oid ELSE o.oprcode END
      WHERE NOT has_function_privilege(p.oid, 'EXECUTE')
      UNION ALL
      SELECT DISTINCT format('USAGE on the sequence %I.%I (%s)', m.nspname, s.relname, n.place)
      FROM needs n
      JOIN pg_class s ON n.class = 'pg_class'::regclass AND s.oid = n.oid
      JOIN pg_namespace m ON m.oid = s.relnamespace
      -- A CASE, since some plans would ask before they look at the kind, and be refused.
      WHERE CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END
      UNION ALL
      SELECT DISTINCT format('USAGE on the type %s (column %s)', format_type(a.atttypid, NULL), a.attname)
      FROM pg_attribute a
      WHERE a.attrelid = \(table.productionOid) AND a.attname = ANY ($1::text[])
        AND NOT has_type_privilege(a.atttypid, 'USAGE')
      ORDER BY 1
      """,
      [.textArray(table.columns.map(\.name.name))],
      "reading the role's rights on what a row of \(table.production) runs into"
    )
  }

  /// The rights that the role lacks, as `EXECUTE on the function audit.stamp() (default of created_by)`.
  func missing() throws(PostgresError) -> [String] {
    let rows = try connection.query(Self.query(table))
    return (0..<rows.count).compactMap { rows.text($0, 0) }
  }
}
