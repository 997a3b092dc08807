import Libpq

/// What must be true when the storm is over, each as a query that counts violations.
enum TortureCheck {
  struct Rule: Sendable {
    let claim: String
    let violations: SQL
    /// What breaks the rule: one that nothing breaks would prove nothing.
    let tampering: SQL
  }

  /// CDC waits for half a second at most, but for a machine whose cores are taken: arbitrary, as much again.
  static let longestWaitMilliseconds = 1000
  /// Where clients or lines stand still locks are let go within 30 s; the same again for the machine.
  static let longestFrozenWaitMilliseconds = 32_000

  /// The latest delete of each key, what CDC wrote after it, and what was merged.
  private static let history: SQL = """
    WITH deletes AS (
      SELECT tenant, id, max(position) AS position FROM model.changes WHERE is_delete GROUP BY tenant, id
    ), written AS (
      SELECT c.tenant, c.id, max(c.version) AS version
      FROM model.changes AS c LEFT JOIN deletes AS d USING (tenant, id)
      WHERE NOT c.is_delete AND (d.position IS NULL OR c.position > d.position)
      GROUP BY c.tenant, c.id
    ), merged AS (
      SELECT l.tenant, l.id, max(l.version) AS version
      FROM model.loaded AS l LEFT JOIN deletes AS d USING (tenant, id)
      WHERE d.position IS NULL AND NOT l.is_poison
      GROUP BY l.tenant, l.id
    ), due AS (
      SELECT tenant, id, max(version) AS version
      FROM (SELECT * FROM written UNION ALL SELECT * FROM merged) AS newest
      GROUP BY tenant, id
    )
    """

  static let rules = [
    Rule(
      claim: "no production row is older than the newest version written for its key since its last delete",
      violations: """
        \(history)
        SELECT count(*) FROM due LEFT JOIN model.merged AS p USING (tenant, id)
        WHERE p.updated_at IS NULL OR p.updated_at < due.version
        """,
      tampering: """
        DELETE FROM production.remote
        WHERE id = (SELECT id FROM model.loaded WHERE tenant = \(TortureSchema.remoteTenant) LIMIT 1)
        """
    ),
    Rule(
      claim: "every production row is one that somebody wrote, whole",
      violations: """
        SELECT count(*) FROM model.merged AS p
        WHERE p.payload <> model.payload(p.tenant, p.id, p.updated_at)
           OR NOT (p.updated_at = timestamp '2025-01-01'
                   OR EXISTS (SELECT FROM model.changes AS c
                              WHERE (c.tenant, c.id, c.version) = (p.tenant, p.id, p.updated_at))
                   OR EXISTS (SELECT FROM model.loaded AS l
                              WHERE (l.tenant, l.id, l.version) = (p.tenant, p.id, p.updated_at))
                   OR EXISTS (SELECT FROM model.gone AS g
                              WHERE (g.tenant, g.id, g.version) = (p.tenant, p.id, p.updated_at)))
        """,
      tampering: "UPDATE production.items SET payload = 'x' WHERE id = (SELECT min(id) FROM production.items)"
    ),
    Rule(
      claim: "no staging row is lost or doubled",
      violations: """
        SELECT (SELECT count(*) FROM (SELECT tenant, id, version FROM model.loaded
                                      EXCEPT ALL SELECT tenant, id, updated_at FROM model.staged) AS lost)
             + (SELECT count(*) FROM (SELECT tenant, id, updated_at FROM model.staged
                                      EXCEPT ALL SELECT tenant, id, version FROM model.loaded) AS doubled)
        """,
      tampering: "DELETE FROM staging.tree WHERE id = (SELECT min(id) FROM staging.tree)"
    ),
    Rule(
      claim: "every staging row is merged or stands refused",
      violations: "SELECT sum(pending_records)::bigint FROM admin.oracle_pg_migration_status",
      tampering: "UPDATE staging.tree SET parent = parent WHERE id = (SELECT min(id) FROM staging.tree)"
    ),
    Rule(
      claim:
        "where staging has a status column every row is marked, and only rows that can't be stored are marked ERROR",
      violations: """
        SELECT count(*) FROM staging.orders
        WHERE (_dms_processing_status IN ('PROCESSED', 'ERROR')) IS NOT TRUE
           OR _dms_processing_status = 'ERROR' AND account > 0 AND code <> 'taken' AND amount >= 0
        """,
      tampering: """
        UPDATE staging.orders SET _dms_processing_status = 'NEW' WHERE ctid = (SELECT min(ctid) FROM staging.orders)
        """
    ),
    Rule(
      claim: "every refusal on record stands, and every ERROR mark is on record",
      violations: """
        SELECT abs((SELECT error_records FROM admin.oracle_pg_migration_status WHERE table_name = 'orders')
                 - (SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NULL AND table_name = 'orders'))
             + abs((SELECT count(*) FROM staging.orders WHERE _dms_processing_status = 'ERROR')
                 - (SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NULL AND table_name = 'orders'))
        """,
      tampering: "UPDATE admin.merge_errors SET retried_at = failed_at WHERE table_name = 'orders'"
    ),
    Rule(
      claim: "the counts of all runs add up to the staging rows there are, and the refused ones that were tried again",
      violations: """
        SELECT abs((SELECT count(*) FROM staging.orders)
                 + (SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NOT NULL AND table_name = 'orders')
                 - (SELECT coalesce(sum(records_read), 0) FROM admin.merge_logs WHERE table_name = 'orders'))::bigint
             + (SELECT count(*) FROM admin.merge_logs
                WHERE records_read <> records_inserted + records_updated + records_unchanged + records_stale
                                      + records_duplicate + records_error)
        """,
      tampering: "UPDATE admin.merge_logs SET records_read = records_read + 1 WHERE table_name = 'orders'"
    ),
    Rule(
      claim: "no run is left RUNNING",
      violations: "SELECT count(*) FROM admin.merge_summary WHERE status = 'RUNNING'",
      tampering: "UPDATE admin.merge_summary SET status = 'RUNNING'"
    ),
    Rule(
      claim: "no child is refused for good whose parent came later",
      violations: """
        SELECT error_records FROM admin.oracle_pg_migration_status WHERE table_name = 'tree'
        """,
      tampering: """
        INSERT INTO admin.merge_errors
          (table_name, production_schema, staging_source, staging_file_node, staging_address, staging_xmin)
        SELECT 'tree', 'production', 'table ' || 'staging.tree'::regclass::oid, pg_relation_filenode('staging.tree'), s.ctid,
               s.xmin::text::bigint
        FROM staging.tree AS s LIMIT 1
        """
    ),
    Rule(
      claim: "nobody who writes to production waited for longer than a batch may hold its locks",
      violations: """
        SELECT count(*) FROM model.waits AS w
        WHERE w.finished - w.started > \(longestWaitMilliseconds) * interval '1 ms'
          AND NOT EXISTS (SELECT FROM model.freezes AS f WHERE w.started < f.finished AND w.finished > f.started)
        """,
      tampering: """
        INSERT INTO model.waits SELECT now() + interval '1 hour', now() + interval '1 hour' + interval '1100 ms'
        """
    ),
    Rule(
      claim: "whoever writes to production waited for no client and no line that stood still for longer than it may",
      violations: """
        SELECT count(*) FROM model.waits WHERE finished - started > \(longestFrozenWaitMilliseconds) * interval '1 ms'
        """,
      tampering: "INSERT INTO model.waits SELECT now(), now() + interval '40 s'"
    ),
  ]
}
