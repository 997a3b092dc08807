import Libpq

/// Whether a production table fits into the memory that the server has for it, as far as the catalog and the settings tell.
///
/// What the operating system keeps of files the server doesn't know; `effective_cache_size` is what its owner says there is.
/// With direct I/O there are only the server's own buffers.
struct CacheFit: Sendable {
  /// The table with all of its partitions and indexes.
  var byteCount = 0
  /// The server's own buffers.
  var bufferByteCount = 0
  /// All the memory that pages may be kept in.
  var cacheByteCount = 0
  /// The table, its partitions and their indexes: whose pages are counted when a batch is done. Some of them where there are
  /// very many.
  var relations: [UInt32] = []

  /// Nothing is known.
  static let unknown = CacheFit()

  /// Looking whether there is a relation takes about a microsecond each, with every batch. Arbitrary.
  private static let mostRelations = 256

  /// Most pages that are visited will have to be read: more than there is memory for, which other tables want too.
  var isLikelyCold: Bool { cacheByteCount > 0 && byteCount > cacheByteCount }

  /// The same as pages, of the size that servers are built with, with very few exceptions.
  var cachePageCount: Int { cacheByteCount / 8192 }

  /// What is asked about some tables.
  static func query(_ tables: [UInt32]) -> Query {
    Query(
      """
      WITH RECURSIVE tree AS (
        SELECT t.oid AS root, t.oid FROM unnest($1::oid[]) AS t (oid)
        UNION ALL
        SELECT tree.root, i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
      ), parts AS (
        SELECT root, oid FROM tree
        UNION ALL
        SELECT tree.root, x.indexrelid FROM tree JOIN pg_index x ON x.indrelid = tree.oid
      )
      SELECT p.root, coalesce(sum(pg_relation_size(c.oid)), 0)::bigint,
             array_to_string((array_agg(c.oid ORDER BY pg_relation_size(c.oid) DESC))[1:\(mostRelations)], ','),
             b.buffers, CASE WHEN current_setting('debug_io_direct', true) LIKE '%data%' THEN b.buffers
                             ELSE greatest(b.buffers, b.cache) END
      FROM parts AS p JOIN pg_class c ON c.oid = p.oid AND c.relkind IN ('r', 'i'),
           (SELECT (max(s.setting) FILTER (WHERE s.name = 'shared_buffers'))::bigint
                     * current_setting('block_size')::bigint AS buffers,
                   (max(s.setting) FILTER (WHERE s.name = 'effective_cache_size'))::bigint
                     * current_setting('block_size')::bigint AS cache
            FROM pg_settings s WHERE s.name IN ('shared_buffers', 'effective_cache_size')) AS b
      GROUP BY p.root, b.buffers, b.cache
      """,
      [.oidArray(tables)],
      "comparing production with the server's memory"
    )
  }

  /// Reads the sizes of several tables.
  static func read(of tables: [UInt32], _ connection: Connection) throws(PostgresError) -> [UInt32: CacheFit] {
    let rows = try connection.query(query(tables))
    return (0..<rows.count).reduce(into: [:]) { fits, row in
      fits[UInt32(rows.integer(row, 0) ?? 0)] = CacheFit(
        byteCount: rows.integer(row, 1) ?? 0,
        bufferByteCount: rows.integer(row, 3) ?? 0,
        cacheByteCount: rows.integer(row, 4) ?? 0,
        relations: (rows.text(row, 2) ?? "").split(separator: ",").compactMap { UInt32($0) }
      )
    }
  }
}
