import Libpq

/// What values of types that do not come with the server consist of: their binary form says nothing of it, and a type of the same name
/// in another database, or after ALTER TYPE, may read it as something else.
///
/// As text, by plain names, since the schemas may be called otherwise there: `pair: (a int4, b span); span: range of numeric`. Labels of
/// enums are no part of it, as their values are texts.
struct TypeDefinitions {
  private let definitions: [UInt32: String]

  /// Of some types, by oid.
  init(of types: some Collection<UInt32>, _ connection: Connection) throws(PostgresError) {
    guard !types.isEmpty else {
      definitions = [:]
      return
    }
    let rows = try connection.query(
      """
      WITH RECURSIVE types AS (
        SELECT t.oid AS root, t.oid FROM unnest($1::oid[]) AS t (oid)
        UNION
        SELECT w.root, p.oid
        FROM types w JOIN pg_type t ON t.oid = w.oid
        CROSS JOIN LATERAL (
          SELECT t.typelem WHERE t.typcategory = 'A' AND t.typelem <> 0
          UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
          UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
          UNION ALL SELECT r.rngtypid FROM pg_range r WHERE (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid
          UNION ALL SELECT a.atttypid FROM pg_attribute a
                    WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
        ) AS p (oid)
        -- FirstNormalObjectId (access/transam.h): what comes with the server is the same everywhere.
        WHERE w.oid >= 16384
      )
      SELECT w.root::bigint, string_agg(
               t.typname::text || ': ' || CASE
                 WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN 'array of ' || (SELECT e.typname FROM pg_type e WHERE e.oid = t.typelem)
                 WHEN t.typtype = 'c' THEN
                   '(' || (SELECT string_agg(a.attname::text || ' ' || e.typname::text, ', ' ORDER BY a.attnum)
                           FROM pg_attribute a JOIN pg_type e ON e.oid = a.atttypid
                           WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) || ')'
                 WHEN t.typtype = 'd' THEN 'domain of ' || (SELECT e.typname FROM pg_type e WHERE e.oid = t.typbasetype)
                 WHEN t.typtype = 'e' THEN 'enum'
                 WHEN t.typtype = 'r' THEN
                   'range of ' || (SELECT e.typname FROM pg_range r JOIN pg_type e ON e.oid = r.rngsubtype WHERE r.rngtypid = t.oid)
                 WHEN t.typtype = 'm' THEN
                   'multirange of ' || (SELECT e.typname FROM pg_range r JOIN pg_type e ON e.oid = r.rngtypid
                                        WHERE (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid)
                 ELSE 'base type' END,
               '; ' ORDER BY t.typname::text COLLATE "C", w.oid)
      FROM types w JOIN pg_type t ON t.oid = w.oid
      WHERE w.oid >= 16384
      GROUP BY w.root
      """,
      [.oidArray(Set(types).sorted())],
      "reading the definitions of types"
    )
    definitions = Dictionary(
      (0..<rows.count).compactMap { row in
        rows.text(row, 1).map { (UInt32(rows.integer(row, 0) ?? 0), $0) }
      },
      uniquingKeysWith: { first, _ in first }
    )
  }

  /// nil for a type that comes with the server.
  subscript(type: UInt32) -> String? { definitions[type] }
}
