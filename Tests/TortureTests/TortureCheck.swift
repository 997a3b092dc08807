import Libpq
import TortureSupport

/// What must be true when the storm is over.
enum TortureCheck {
  /// CDC waits for half a second at most, but for a machine whose cores are taken: arbitrary, as much again.
  static let longestWaitMilliseconds = 1000
  /// Where clients or lines stand still locks are let go within 30 s; the same again for the machine.
  static let longestFrozenWaitMilliseconds = 32_000

  static let rules = [
    TortureRule.noOlderRow, .wholeRows, .noStagingRowLost, .everyRowIsMarked, .noRunIsLeftRunning,
    TortureRule(
      claim: "every staging row is merged or stands refused",
      violations: "SELECT sum(pending_records)::bigint FROM admin.oracle_pg_migration_status",
      tampering: "UPDATE staging.tree SET parent = parent WHERE id = (SELECT min(id) FROM staging.tree)"
    ),
    TortureRule(
      claim: "every refusal on record stands, and every ERROR mark is on record",
      violations: """
        SELECT abs((SELECT error_records FROM admin.oracle_pg_migration_status WHERE table_name = 'orders')
                 - (SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NULL AND table_name = 'orders'))
             + abs((SELECT count(*) FROM staging.orders WHERE _dms_processing_status = 'ERROR')
                 - (SELECT count(*) FROM admin.merge_errors WHERE retried_at IS NULL AND table_name = 'orders'))
        """,
      tampering: "UPDATE admin.merge_errors SET retried_at = failed_at WHERE table_name = 'orders'"
    ),
    TortureRule(
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
    TortureRule(
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
    TortureRule(
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
    TortureRule(
      claim: "whoever writes to production waited for no client and no line that stood still for longer than it may",
      violations: """
        SELECT count(*) FROM model.waits WHERE finished - started > \(longestFrozenWaitMilliseconds) * interval '1 ms'
        """,
      tampering: "INSERT INTO model.waits SELECT now(), now() + interval '40 s'"
    ),
  ]
}
