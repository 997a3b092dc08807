import Libpq

/// The questions to the catalog. `$1` is always the list of schema names.
///
/// They open no relation, and so wait for nobody who has locked one that is not meant.
enum CatalogSQL {
  /// oid, schema, name, kind, root of its partitions, estimated rows, how rows are stored, whether Citus is installed,
  /// is unlogged, may have children by INHERITS
  static let relations: SQL = """
    SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text,
           CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END, c.reltuples::float8,
           m.amname::text, \(CitusTable.isInstalled), c.relpersistence = 'u', c.relhassubclass
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am m ON m.oid = c.relam
    WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY n.nspname, c.relname
    """

  /// table, name, declared type, not null, has default, generated, identity,
  /// base type, modifier, base type as text without and with modifier, array type, collation if not deterministic, has a binary form,
  /// identity always, has a function for lengths that is told whether a cast is explicit, number, declared type and its modifier, collation if not the
  /// database's, is of a domain without default, is an array of domains with such lengths,
  /// array of what is underneath such domains, if that comes with the server
  static let columns: SQL = """
    WITH RECURSIVE underneath AS (
      SELECT a.attrelid, a.attnum, a.atttypid AS type, a.atttypmod AS modifier
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT u.attrelid, u.attnum, t.typbasetype, t.typtypmod
      FROM underneath u JOIN pg_type t ON t.oid = u.type AND t.typtype = 'd'
    )
    SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod),
           a.attnotnull, a.atthasdef AND a.attgenerated = '', a.attgenerated <> '', a.attidentity <> '',
           t.oid, u.modifier, format_type(t.oid, -1), format_type(t.oid, u.modifier),
           CASE WHEN t.typtype <> 'c' THEN t.typarray ELSE 0 END,
           CASE WHEN NOT l.collisdeterministic THEN format('%I.%I', m.nspname, l.collname) END,
           -- The server can't read its own binary form of an empty int2vector (22) or oidvector (30).
           t.typsend <> 0 AND t.typreceive <> 0 AND t.oid NOT IN (22, 30)
             AND coalesce(e.typsend <> 0 AND e.typreceive <> 0, true),
           a.attidentity = 'a',
           EXISTS (SELECT FROM pg_cast k JOIN pg_proc f ON f.oid = k.castfunc
                   WHERE k.castsource = k.casttarget AND f.pronargs = 3
                     AND k.casttarget = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END),
           a.attnum, a.atttypid, a.atttypmod,
           -- DEFAULT_COLLATION_OID (pg_collation.dat)
           CASE WHEN l.oid <> 100 THEN format('%I.%I', m.nspname, l.collname) END,
           (SELECT d.typtype = 'd' AND d.typdefault IS NOT DISTINCT FROM NULL FROM pg_type d WHERE d.oid = a.atttypid),
           CASE WHEN e.typtype = 'd' THEN EXISTS (
             WITH RECURSIVE elements AS (
               SELECT e.typbasetype AS type, e.typtypmod AS modifier
               UNION ALL
               SELECT d.typbasetype, d.typtypmod FROM elements l JOIN pg_type d ON d.oid = l.type AND d.typtype = 'd'
             )
             SELECT FROM elements l
             JOIN pg_cast k ON k.castsource = l.type AND k.casttarget = l.type
             JOIN pg_proc f ON f.oid = k.castfunc AND f.pronargs = 3
             WHERE l.modifier >= 0) ELSE false END,
           CASE WHEN e.typtype = 'd' THEN (
             WITH RECURSIVE elements AS (
               SELECT e.typbasetype AS type
               UNION ALL
               SELECT d.typbasetype FROM elements l JOIN pg_type d ON d.oid = l.type AND d.typtype = 'd'
             )
             SELECT format_type(b.typarray, -1) FROM elements l JOIN pg_type b ON b.oid = l.type AND b.typtype <> 'd'
             WHERE b.typarray <> 0 AND b.oid < 16384) END
    FROM underneath u
    JOIN pg_attribute a ON a.attrelid = u.attrelid AND a.attnum = u.attnum
    JOIN pg_type t ON t.oid = u.type AND t.typtype <> 'd'
    LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_namespace m ON m.oid = l.collnamespace
    ORDER BY a.attrelid, a.attnum
    """

  /// table, index, its schema and name, is the primary key's, immediate, valid, partial, of equal values only;
  /// column (none for an expression), not null, schema and name of the equality operator, that is the type's own, collation is
  /// the column's, schema and name of the operator class and of the collation
  ///
  /// The key of PostgreSQL 18 that is WITHOUT OVERLAPS has a GiST index, whose strategy 3 is "overlaps".
  static let uniqueIndexes: SQL = """
    WITH keys AS MATERIALIZED (
      SELECT i.indrelid, i.indexrelid, y.nspname, x.relname, i.indisprimary, i.indimmediate,
             i.indisvalid AND i.indisready AS is_valid, i.indpred IS NOT NULL AS is_partial,
             x.relam, k.attnum, k.opclass, k.sorting, k.position
      FROM pg_index i
      JOIN pg_class c ON c.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_namespace y ON y.oid = x.relnamespace
      CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[])
        WITH ORDINALITY AS k (attnum, opclass, sorting, position)
      WHERE n.nspname = ANY ($1::text[]) AND (i.indisunique OR i.indisprimary) AND k.position <= i.indnkeyatts
    )
    SELECT k.indrelid, k.indexrelid, k.nspname::text, k.relname::text, k.indisprimary, k.indimmediate, k.is_valid,
           k.is_partial, h.amname = 'btree', a.attname::text, a.attnotnull, m.nspname::text, o.oprname::text,
           f.opcdefault
             OR EXISTS (SELECT FROM pg_opclass d
                        JOIN pg_amop e ON e.amopfamily = d.opcfamily AND e.amopstrategy = 3
                                      AND e.amoplefttype = d.opcintype AND e.amoprighttype = d.opcintype
                        WHERE d.opcdefault AND d.opcmethod = f.opcmethod AND d.opcintype = f.opcintype
                          AND e.amopopr = s.amopopr),
           k.sorting = a.attcollation, fn.nspname::text, f.opcname::text, ln.nspname::text, l.collname::text
    FROM keys k
    JOIN pg_am h ON h.oid = k.relam
    LEFT JOIN pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
    JOIN pg_opclass f ON f.oid = k.opclass
    JOIN pg_namespace fn ON fn.oid = f.opcnamespace
    LEFT JOIN pg_collation l ON l.oid = k.sorting
    LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
    LEFT JOIN pg_amop s ON s.amopfamily = f.opcfamily AND s.amopstrategy = 3
                       AND s.amoplefttype = f.opcintype AND s.amoprighttype = f.opcintype
    LEFT JOIN pg_operator o ON o.oid = s.amopopr
    LEFT JOIN pg_namespace m ON m.oid = o.oprnamespace
    ORDER BY k.indrelid, k.indisprimary DESC, k.relname, k.indexrelid, k.position
    """

  /// source, target, is by a function that comes neither with the server (`FirstNormalObjectId` in `access/transam.h`) nor with an
  /// extension; the server's set of abbreviations of zones
  static let casts: SQL = """
    SELECT k.castsource, k.casttarget,
           k.castfunc >= 16384
             AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = k.oid AND d.deptype = 'e'),
           current_setting('timezone_abbreviations')
    FROM pg_cast k
    """

  /// child, parent; of partitions the roots, which may lie in other schemas than they
  static let foreignKeys: SQL = """
    SELECT DISTINCT c.oid, coalesce(pg_partition_root(f.confrelid), f.confrelid)
    FROM pg_constraint f
    JOIN pg_class c ON c.oid = coalesce(pg_partition_root(f.conrelid), f.conrelid)
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ($1::text[]) AND f.contype = 'f'
    """
}
