import Libpq

/// How the server tells equal values of columns: read once for the columns of a run whose contents are compared.
struct EqualityOperators: Sendable {
  /// What a column's values are compared with.
  struct Equality: Sendable {
    /// The operator, as `OPERATOR("pg_catalog".=)`.
    let symbol: SQL
    /// ` COLLATE …` for a collation that takes different bytes for equal, else empty.
    let collation: SQL
  }

  /// A column of a table in production.
  struct Place: Hashable {
    let table: UInt32
    let column: Identifier
  }

  private var equalities: [Place: Equality] = [:]

  /// Asks for some columns, each with its type's oid.
  ///
  /// - Parameter connection: to the database that holds production.
  init(_ places: [(place: Place, type: UInt32)], _ connection: Connection) throws(PostgresError) {
    let rows = try connection.query(
      Self.query,
      [
        .oidArray(places.map(\.place.table)), .textArray(places.map(\.place.column.name)),
        .oidArray(places.map(\.type)),
      ],
      "reading how the columns of production are compared"
    )
    for row in 0..<rows.count {
      guard let ordinal = rows.integer(row, 0), places.indices.contains(ordinal - 1), let symbol = rows.text(row, 2)
      else { continue }
      let collation = rows.text(row, 4).map { name -> SQL in
        " COLLATE \(QualifiedName(schema: rows.text(row, 3) ?? "", name: name))"
      }
      equalities[places[ordinal - 1].place] = Equality(
        // An operator's own name is made of operator characters only and is never quoted.
        symbol: "OPERATOR(\(Identifier(rows.text(row, 1) ?? "")).\(SQL.uncheckedFromServer(symbol)))",
        collation: collation ?? ""
      )
    }
  }

  /// - Returns: nil for a column whose type has no equality of its own, as json, xml, point and box (whose `=` compares
  ///   areas): the type has no default B-tree or hash operator class.
  func equality(of column: Identifier, in table: UInt32) -> Equality? {
    equalities[Place(table: table, column: column)]
  }

  /// ordinal (from 1), operator's schema and name, schema and name of a non-deterministic collation.
  ///
  /// A type's own operator class counts, or that of the polymorphic type behind enums (3500), ranges (3831),
  /// multiranges (4537) and arrays (2277, if the elements have one), or of a type that it is binary coercible to. Looked for
  /// once for each type: of ten thousand columns most have one of ten.
  static let query: SQL = """
    WITH columns AS MATERIALIZED (
      SELECT * FROM unnest($1::oid[], $2::text[], $3::oid[]) WITH ORDINALITY AS c (relation, name, type, ordinal)
    ), operators AS MATERIALIZED (
      SELECT t.oid AS type, o.nspname, o.oprname
      FROM (SELECT DISTINCT type FROM columns) AS c
      JOIN pg_type t ON t.oid = c.type
      LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
      CROSS JOIN LATERAL (
        SELECT m.nspname, p.oprname
        FROM pg_opclass f
        JOIN pg_am am ON am.oid = f.opcmethod AND am.amname IN ('btree', 'hash')
        JOIN pg_amop s ON s.amopfamily = f.opcfamily AND s.amoplefttype = f.opcintype
                      AND s.amoprighttype = f.opcintype
                      AND s.amopstrategy = CASE WHEN am.amname = 'btree' THEN 3 ELSE 1 END
        JOIN pg_operator p ON p.oid = s.amopopr
        JOIN pg_namespace m ON m.oid = p.oprnamespace
        WHERE f.opcdefault
          AND (f.opcintype = t.oid
               OR f.opcintype = CASE WHEN t.typtype = 'e' THEN 3500 WHEN t.typtype = 'r' THEN 3831
                                  WHEN t.typtype = 'm' THEN 4537 END
               OR f.opcintype = 2277 AND e.oid IS NOT NULL
                  AND (e.typtype IN ('e', 'r', 'm')
                       OR EXISTS (SELECT FROM pg_opclass ef
                                  WHERE ef.opcdefault AND ef.opcintype = e.oid AND ef.opcmethod = f.opcmethod)
                       OR EXISTS (SELECT FROM pg_cast ec
                                  WHERE ec.castsource = e.oid AND ec.castmethod = 'b' AND ec.castcontext = 'i'))
               OR EXISTS (SELECT FROM pg_cast k
                          WHERE k.castsource = t.oid AND k.casttarget = f.opcintype
                            AND k.castmethod = 'b' AND k.castcontext = 'i'))
        ORDER BY f.opcintype = t.oid DESC, am.amname
        LIMIT 1
      ) AS o
    )
    SELECT c.ordinal, o.nspname::text, o.oprname::text, ln.nspname::text, l.collname::text
    FROM columns c
    JOIN operators o ON o.type = c.type
    LEFT JOIN pg_attribute a ON a.attrelid = c.relation AND a.attname = c.name
    LEFT JOIN pg_collation l ON l.oid = a.attcollation AND NOT l.collisdeterministic
    LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
    """
}
