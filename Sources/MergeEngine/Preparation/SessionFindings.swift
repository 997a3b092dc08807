import Libpq

/// What role and database have set that changes what a merge means, and is left as it is.
struct SessionFindings {
  let plan: MergePlan
  let options: MergeOptions
  let production: Connection
  /// The same connection if staging is in the same database.
  let staging: Connection

  /// - Throws: ``MergeFailure/usage(_:)`` when the server knows no such zone, ``MergeFailure/configuration(_:)`` when that stands in
  ///   the file.
  static func requireZone(_ options: MergeOptions, _ connection: Connection) throws {
    let zone = options.timeZone
    guard zone != "UTC" else { return }
    // SET TimeZone and AT TIME ZONE mean opposite directions by "+05".
    guard zone.wholeMatch(of: /\s*[+-]?[0-9].*/) == nil else {
      throw refused(
        options,
        "an offset alone is east of Greenwich at one place of PostgreSQL and west at another. Name a zone, as "
          + "Europe/Berlin, or write <+05>-05 for five hours east of Greenwich."
      )
    }
    do {
      _ = try connection.query("SELECT clock_timestamp() AT TIME ZONE $1", [.text(zone)], "reading --time-zone")
    } catch {
      guard error.sqlState == .invalidParameterValue else { throw error }
      throw refused(options, "\(error.message).")
    }
  }

  private static func refused(_ options: MergeOptions, _ reason: String) -> MergeFailure {
    options.timeZoneIsConfigured
      ? .configuration(["time_zone: \(options.timeZone): \(reason)"])
      : .usage("--time-zone \(options.timeZone): \(reason)")
  }

  func all() throws(PostgresError) -> [Finding] { try ofProduction() + ofStaging() }

  /// What is asked of production.
  static var settings: Query {
    Query(
      """
      SELECT current_user::text, current_setting('session_replication_role') = 'replica',
             current_setting('synchronous_standby_names'),
             current_setting('synchronous_commit') = ANY (ARRAY['on', 'remote_write', 'remote_apply'])
               AND NOT EXISTS (SELECT FROM pg_stat_replication)
      """,
      "reading the session's settings"
    )
  }

  private func ofProduction() throws(PostgresError) -> [Finding] {
    let settings = try production.query(Self.settings)
    let role = settings.text(0, 0) ?? ""
    var findings: [Finding] = []
    if settings.bool(0, 1) == true {
      findings.append(
        .warning(
          .replicationRole,
          nil,
          "session_replication_role is replica for \(role): foreign keys are not checked and ordinary triggers don't fire for "
            + "merged rows, so orphans are inserted without an error. If that is not intended: ALTER ROLE \(role) RESET "
            + "session_replication_role, or the same for the database."
        )
      )
    }
    if let names = settings.text(0, 2), !names.isEmpty, settings.bool(0, 3) == true {
      findings.append(
        .warning(
          .standby,
          nil,
          "commits wait for synchronous standbys (synchronous_standby_names = '\(names)'), but none is connected: the first "
            + "commit will hang until one is."
        )
      )
    }
    return findings
  }

  private func ofStaging() throws(PostgresError) -> [Finding] {
    let zoned = columns(\.zoneMatters)
    let texts = columns(\.readsTextAsTime)
    let ofDatabase = columns(\.zoneIsOfDatabase)
    guard !zoned.isEmpty || !texts.isEmpty || !ofDatabase.isEmpty else { return [] }
    // Names of zones may differ where the zones do not: what counts is the time in winter and in summer.
    let settings = try staging.query(
      """
      SELECT current_setting('TimeZone'), current_setting('DateStyle'),
             EXISTS (SELECT FROM generate_series(0, 11) AS m (months), clock_timestamp() AS now
                     WHERE (now + make_interval(months => m.months)) AT TIME ZONE $1
                           <> (now + make_interval(months => m.months)) AT TIME ZONE current_setting('TimeZone'))
      """,
      [.text(options.timeZone)],
      "reading the session's settings"
    )
    let (zone, style) = (settings.text(0, 0) ?? "", settings.text(0, 1) ?? "")
    let ofZone =
      settings.bool(0, 2) == true
      ? zoned.map { table, columns in
        Finding.warning(
          .timeZone,
          table,
          "\(columns): times without a zone are read in \(options.timeZone) (--time-zone), while the database is in \(zone)."
        )
      }
        + ofDatabase.map { table, columns in
          .warning(
            .timeZone,
            table,
            "\(columns): the server's own cast decides, and times without a zone are the database's, \(zone), whatever --time-zone says "
              + "(\(options.timeZone))."
          )
        } : []
    return ofZone
      + texts.map { table, columns in
        .warning(
          .dateStyle,
          table,
          "\(columns): text in staging is read as the database reads it, with DateStyle \(style)."
        )
      }
  }

  /// The columns of each table for which something holds, as `column a` or `columns a, b`.
  private func columns(_ holds: (TablePlan.Column) -> Bool) -> [(table: String, columns: String)] {
    plan.tables.compactMap { table in
      let names = table.columns.filter(holds).map(\.name.name)
      guard !names.isEmpty else { return nil }
      return (table.name, (names.count == 1 ? "column " : "columns ") + names.joined(separator: ", "))
    }
  }
}
