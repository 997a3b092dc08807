import Libpq

/// Relations in the admin schema that bear the name of one of the engine's tables and are something else: somebody else's schema
/// was named.
///
/// What the guide's own SQL and earlier versions have made is theirs too, with other widths of numbers: what counts is whether a
/// record could be written.
struct StrangeTables {
  let admin: String
  let connection: Connection

  /// Characters of the shortest text that the guide's own tables have.
  private static let shortestText = 20

  /// `('merge_summary', 'id', 'pg_catalog.int4', true)`: the server fills the keys that are counted.
  private static var columns: [SQL] {
    AdminTables.all.flatMap { table in
      ([table.keyColumn] + table.columns).map { column in
        let words = column.text.split(separator: " ").map(String.init)
        let counted = ["serial": "integer", "bigserial": "bigint"][words[1]]
        let type = catalogName(counted ?? String(words[1].prefix { $0 != "(" }))
        return
          "(\(Literal(table.name)), \(Literal(words[0])), \(Literal(type)), \(counted != nil ? "true" : "false" as SQL))"
      }
    }
  }

  /// `pg_catalog.int8[]` of `bigint[]`: a bare name is looked for along the search_path, where others may have types of that name.
  private static func catalogName(_ type: String) -> String {
    let names = ["integer": "int4", "bigint": "int8", "boolean": "bool"]
    let element = type.hasSuffix("[]") ? String(type.dropLast(2)) : type
    return "pg_catalog." + (names[element] ?? element) + (type.hasSuffix("[]") ? "[]" : "")
  }

  /// Their names, what they are if no tables, and else what is wrong with their columns; `$1` is the admin schema.
  static var query: SQL {
    """
    WITH ours AS (
      SELECT t.relation, t.name, t.type::regtype::oid AS type, t.is_filled
      FROM (VALUES \(Self.columns.joined(", "))) AS t (relation, name, type, is_filled)
    ), there AS (
      SELECT c.oid, c.relname::text AS relation, c.relkind::text AS kind
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname::text IN (SELECT relation FROM ours) AND c.relkind NOT IN ('i', 'I', 'S')
    )
    SELECT r.relation, CASE WHEN r.kind = 'v' THEN 'view' WHEN r.kind = 'm' THEN 'materialized view'
                            WHEN r.kind = 'f' THEN 'foreign table' ELSE 'composite type' END, NULL
    FROM there AS r WHERE r.kind NOT IN ('r', 'p')
    UNION ALL
    SELECT DISTINCT ON (r.relation) r.relation, NULL,
           CASE WHEN o.name IS NULL
                THEN format('its column %s is NOT NULL and has no default', a.attname)
                WHEN a.attgenerated <> '' THEN format('its column %s is generated', a.attname)
                WHEN o.is_filled AND NOT a.atthasdef AND a.attidentity = ''
                THEN format('its column %s has no default', a.attname)
                ELSE format('its column %s is of type %s', a.attname, format_type(a.atttypid, a.atttypmod)) END
    FROM there AS r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN ours AS o ON o.relation = r.relation AND o.name = a.attname::text
    LEFT JOIN pg_type w ON w.oid = o.type
    WHERE r.kind IN ('r', 'p')
      AND CASE WHEN o.name IS NULL THEN a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
               ELSE a.attgenerated <> '' OR o.is_filled AND NOT a.atthasdef AND a.attidentity = ''
                    OR y.typcategory <> w.typcategory OR y.typcategory NOT IN ('N', 'S', 'D') AND a.atttypid <> o.type
                    OR y.typname IN ('bpchar', 'varchar') AND a.atttypmod >= 4 AND a.atttypmod < \(Self.shortestText + 4) END
    """
  }

  /// A blocker for each of them, with what is wrong and what to do.
  func findings() throws(PostgresError) -> [Finding] {
    let rows = try connection.query(
      Self.query,
      [.text(admin)],
      "looking for other people's tables in the admin schema"
    )
    return (0..<rows.count).map { row in
      let relation = QualifiedName(schema: admin, name: rows.text(row, 0) ?? "")
      let kind = rows.text(row, 1)
      let what = kind.map { "is a \($0)" } ?? "is somebody else's table: \(rows.text(row, 2) ?? "")"
      let word: SQL =
        switch kind {
        case "view": "VIEW"
        case "materialized view": "MATERIALIZED VIEW"
        case "foreign table": "FOREIGN TABLE"
        case nil: "TABLE"
        default: "TYPE"
        }
      let renaming: SQL = "ALTER \(word) \(relation) RENAME TO \(Identifier("other_\(relation.name.name)"))"
      return .blocker(
        .adminSchema,
        nil,
        "\(relation) \(what). The engine keeps its records under that name: name another schema with --admin-schema, or rename "
          + "it: \(renaming.text);"
      )
    }
  }
}
