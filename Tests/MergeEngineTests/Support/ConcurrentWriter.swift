import TestSupport

extension TestDatabase {
  /// Has another session write to production at the moment when the engine begins to write there, after its probe.
  ///
  /// A statement trigger on production does it through dblink, once, and only for statements of the engine: whoever
  /// wins does not depend on timing.
  /// - Parameters:
  ///   - event: the engine's statement, `INSERT` or `UPDATE`.
  ///   - statements: what the other session runs and commits.
  func writeConcurrently(on event: String, of table: String = "production.t", _ statements: String) throws {
    try run(
      """
      CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public;
      CREATE SEQUENCE public.once;
      CREATE FUNCTION public.write_concurrently() RETURNS trigger LANGUAGE plpgsql AS $function$
      BEGIN
        IF current_setting('application_name') LIKE 'merge-engine%' AND nextval('public.once') = 1 THEN
          PERFORM public.dblink_exec($connection$\(connectionString)$connection$, $statements$\(statements)$statements$);
        END IF;
        RETURN NULL;
      END $function$;
      CREATE TRIGGER write_concurrently BEFORE \(event) ON \(table)
      FOR EACH STATEMENT EXECUTE FUNCTION public.write_concurrently();
      """
    )
  }

  /// Waits until a session of the engine waits for a lock.
  func waitForBlockedWorker() async throws { try await waitForBlockedTries(1) }

  /// Waits until the server has shown so many transactions of the engine that wait for a lock.
  func waitForBlockedTries(_ count: Int) async throws {
    var seen: Set<String> = []
    try await eventually("try \(count) that waits for a lock") {
      seen.formUnion(
        try rows(
          """
          SELECT pid, xact_start FROM pg_stat_activity
          WHERE application_name LIKE 'merge-engine%' AND wait_event_type = 'Lock' AND datname = current_database()
            AND \(Self.isNoRehearsal)
          """
        )
      )
      return seen.count >= count ? () : nil
    }
  }
}
