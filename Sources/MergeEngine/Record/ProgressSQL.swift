import Libpq

/// The ledger's question as plain SQL, for the monitoring view and for commands that count: what of a staging table is
/// merged.
///
/// The same rules as in ``Coverage``, row by row. A merge asks in another way, since it knows the entries beforehand.
enum ProgressSQL {
  /// total_records, pending_records, processed_records, error_records of a staging table in production's database.
  ///
  /// - Parameters:
  ///   - table: the staging table, quoted; also as ``literal``.
  ///   - version: the version column, for entries of a window; nil where there is none.
  static func counts(_ table: SQL, literal: SQL, version: SQL?, admin: Identifier) -> SQL {
    let isInWindow: SQL =
      version.map { version in
        """
        (p.version_from IS NULL OR \(version) >= p.version_from::timestamp)
                  AND (p.version_to IS NULL OR \(version) < p.version_to::timestamp)
        """
      } ?? "p.version_from IS NULL AND p.version_to IS NULL"
    return """
      WITH p AS MATERIALIZED (
        SELECT id, place_start, place_end, version_from, version_to, reopened, settled,
               CASE WHEN horizon > 0 THEN mod(horizon, 4294967296)::text::xid END AS horizon,
               ARRAY(SELECT mod(r, 4294967296)::text::xid FROM unnest(recent) AS r) AS recent,
               mod(marker, 4294967296)::text::xid AS marker
        FROM \(admin).merge_progress
        WHERE staging = \(literal) AND source = 'table ' || \(literal)::regclass::oid AND superseded_at IS NULL
          AND (file_node IS NULL OR file_node = pg_relation_filenode(\(literal)::regclass)::bigint)
          AND (coalesce(horizon, 0) = 0
               OR pg_snapshot_xmax(pg_current_snapshot())::text::bigint - horizon < 2147483648)
      ), counted AS (
        SELECT count(*) AS total, count(*) FILTER (WHERE EXISTS (
          SELECT FROM p
          WHERE s.xmin = p.marker
             OR p.reopened IS NULL AND p.settled IS NULL
                AND (p.place_start IS NULL OR s.ctid >= p.place_start) AND (p.place_end IS NULL OR s.ctid < p.place_end)
                AND (age(s.xmin) > age(p.horizon) OR s.xmin = ANY (p.recent))
                AND \(isInWindow)
                AND NOT EXISTS (
                  SELECT FROM p AS q
                  WHERE q.id > p.id AND s.ctid = ANY (q.reopened)
                    AND NOT EXISTS (SELECT FROM p AS r WHERE r.id > q.id AND s.ctid = ANY (r.settled))))) AS merged
        FROM \(table) AS s
      ), refused AS (
        SELECT count(*) AS count
        FROM \(admin).merge_errors AS e
        JOIN \(table) AS s ON s.ctid = e.staging_address AND s.xmin = e.staging_xmin::text::xid
        WHERE e.staging_source = 'table ' || \(literal)::regclass::oid AND e.retried_at IS NULL AND e.dismissed_at IS NULL
          AND e.staging_file_node = pg_relation_filenode(\(literal)::regclass)::bigint
      )
      SELECT c.total AS total_records, c.total - c.merged AS pending_records,
             c.merged - r.count AS processed_records, r.count AS error_records
      FROM counted AS c, refused AS r
      """
  }
}
