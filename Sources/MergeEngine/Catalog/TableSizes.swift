import Libpq

/// How large a table is and what an update of one of its columns has to touch.
struct TableSizes {
  /// Indexes that every inserted row enters.
  let indexCount: Int
  /// An index that hinders HOT updates holds the column.
  let columnIsIndexed: Bool
  let fillFactor: Int
  /// Blocks of the table and its indexes.
  let blockCount: Int
  let blockByteCount: Int
  let logsFullPages: Bool
  /// The share of updates that are HOT.
  let hotShare: Double

  init(_ table: QualifiedName, version column: Identifier, _ connection: Connection) throws(PostgresError) {
    let result = try connection.query(
      """
      SELECT (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid),
             EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = $1
                     WHERE i.indrelid = c.oid AND m.amname <> 'brin'
                       AND (a.attnum = ANY (i.indkey::int2[])
                            OR EXISTS (SELECT FROM pg_depend d
                                       WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                         AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                                         AND d.refobjsubid = a.attnum))),
             coalesce((SELECT option_value::integer FROM pg_options_to_table(c.reloptions)
                       WHERE option_name = 'fillfactor'), 100),
             (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint / current_setting('block_size')::bigint
              FROM (SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_tree(c.oid) WHERE relid IS NOT NULL) AS t),
             current_setting('block_size')::bigint, current_setting('full_page_writes')::boolean,
             coalesce(pg_stat_get_tuples_updated(c.oid), 0), coalesce(pg_stat_get_tuples_hot_updated(c.oid), 0)
      FROM pg_class c WHERE c.oid = \(Literal(table.quoted))::regclass
      """,
      [.text(column.name)],
      "reading the size of \(table)"
    )
    indexCount = result.integer(0, 0) ?? 0
    columnIsIndexed = result.bool(0, 1) ?? false
    fillFactor = result.integer(0, 2) ?? 100
    blockCount = result.integer(0, 3) ?? 0
    blockByteCount = result.integer(0, 4) ?? 8192
    logsFullPages = result.bool(0, 5) ?? true
    let updatedCount = result.integer(0, 6) ?? 0
    if columnIsIndexed {
      hotShare = 0
    } else if updatedCount > 1000 {
      hotShare = Double(result.integer(0, 7) ?? 0) / Double(updatedCount)
    } else {
      // Room for at least one row in five.
      hotShare = fillFactor <= 80 ? 1 : 0
    }
  }
}
