import Libpq

/// What the admin tables know about the window of the rows in staging.
struct LoadedWindow: Equatable {
  let window: SnapshotManifest.Window
  /// The newest run is a load, under way or not merged yet: staging was empty before it, so the window is its own.
  ///
  /// Otherwise it is the window of the last merge, and holds only if nothing was loaded since.
  let isOfLoad: Bool

  /// The window of all pairs of schemas.
  ///
  /// - Returns: nil also where pairs were loaded apart, each with a window of its own.
  static func read(_ connection: Connection, _ schemas: Schemas) throws(PostgresError) -> LoadedWindow? {
    var windows: [LoadedWindow?] = []
    for own in schemas.each { windows.append(try read(connection, ofPair: own)) }
    return windows.allSatisfy { $0 == windows[0] } ? windows[0] : nil
  }

  /// - Returns: nil when no run knows a window, or the records can't be read: the guide's own tables have no parameters, and
  ///   a role may be kept from them.
  private static func read(_ connection: Connection, ofPair schemas: Schemas) throws(PostgresError) -> LoadedWindow? {
    do {
      let run = try connection.query(
        """
        SELECT status IN ('LOADING', 'RUNNING') AND parameters -> 'annotations' ? 'window_from',
               coalesce(parameters #>> '{annotations,window_from}', parameters ->> 'from'),
               coalesce(parameters #>> '{annotations,window_to}', parameters ->> 'to')
        FROM \(Identifier(schemas.admin)).merge_summary AS r
        WHERE parameters IS NOT NULL AND NOT parameters ? 'snapshot' AND \(PairSQL(schemas: schemas).ownsRun("r"))
        ORDER BY id DESC LIMIT 1
        """,
        "reading the window of the last load"
      )
      guard run.count == 1 else { return nil }
      let window = SnapshotManifest.Window(from: run.text(0, 1), to: run.text(0, 2))
      guard window.from != nil || window.to != nil else { return nil }
      return LoadedWindow(window: window, isOfLoad: run.bool(0, 0) == true)
    } catch {
      guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
      return nil
    }
  }

  /// The window, if it is that of these tables' rows beyond doubt.
  ///
  /// A row that is NEW, or that can't be marked, may have been loaded after the merge whose window is known, with another
  /// one; an old window beside new rows would mislead whoever replays them.
  func proven(for tables: [CatalogTable], _ connection: Connection) throws(PostgresError) -> SnapshotManifest.Window? {
    if isOfLoad { return window }
    let status = TablePlanner.statusColumn
    for table in tables {
      guard table.column(status) != nil else { return nil }
      let unmerged = try connection.query(
        "SELECT EXISTS (SELECT FROM \(table.name) WHERE coalesce(\(status), '') NOT IN ('PROCESSED', 'ERROR'))",
        "looking for rows of \(table.name) that no merge has read"
      )
      guard unmerged.bool(0, 0) == false else { return nil }
    }
    return window
  }
}
