import Foundation
import Libpq

/// What the last merge of these schemas' staging (no replay, no repair) was asked to do.
struct LastRun {
  let id: Int
  /// As it was typed, in ``timeZone``: what versions before the windows of tables were kept have left.
  private let typed: VersionWindow
  private let timeZone: String
  /// nil where its record does not say.
  private let nulls: MergeOptions.NullRule?
  /// By the names of the tables that it merged.
  private let windows: [String: VersionWindow]

  private struct Parameters: Decodable {
    let from: String?
    let to: String?
    let timeZone: String?
    let nulls: MergeOptions.NullRule?
  }

  private struct Log: Decodable {
    let table: String
    let from: String?
    let to: String?
  }

  /// Runs that came to no good end don't count.
  ///
  /// - Returns: nil when there was no run, or its record can't be read: the guide's own tables have no parameters, and a
  ///   role may be kept from them.
  static func read(
    _ connection: Connection,
    _ schemas: Schemas
  ) throws(PostgresError) -> LastRun? {
    let admin = Identifier(schemas.admin)
    do {
      let keepsWindows = try AdminSchema(schemas: schemas).columns(connection).contains("merge_logs.version_from")
      let window: SQL = keepsWindows ? "'from', l.version_from, 'to', l.version_to" : "'from', NULL, 'to', NULL"
      let owns: SQL = keepsWindows ? PairSQL(schemas: schemas).owns("l") : "true"
      let result = try connection.query(
        """
        SELECT r.id::bigint, json_build_object('from', r.parameters -> 'from', 'to', r.parameters -> 'to',
                                 'timeZone', r.parameters -> 'time_zone', 'nulls', r.parameters -> 'nulls')::text,
               coalesce((SELECT json_agg(json_build_object('table', \(PairSQL(schemas: schemas).tableName("l")), \(window)))
                         FROM \(admin).merge_logs l WHERE l.run_id = r.id AND \(owns)), '[]')::text
        FROM \(admin).merge_summary r
        WHERE r.status IN ('SUCCESS', 'PARTIAL') AND r.parameters IS NOT NULL AND NOT r.parameters ?| ARRAY['snapshot', 'repair']
          AND \(PairSQL(schemas: schemas).ownsRun("r"))
        ORDER BY r.id DESC LIMIT 1
        """,
        "reading the parameters of the last run"
      )
      guard result.count == 1, let parameters = JSONText.decode(Parameters.self, result.text(0, 1)),
        let logs = JSONText.decode([Log].self, result.text(0, 2))
      else { return nil }
      return LastRun(
        id: result.integer(0, 0) ?? 0,
        typed: VersionWindow(from: parameters.from, to: parameters.to),
        timeZone: parameters.timeZone ?? MergeOptions().timeZone,
        nulls: parameters.nulls,
        windows: logs.reduce(into: [:]) { $0[$1.table] = VersionWindow(from: $1.from, to: $1.to) }
      )
    } catch {
      guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
      return nil
    }
  }

  /// The window that it merged of a table; unbounded for one that it did not merge.
  func window(of table: TablePlan, _ connection: Connection) throws(PostgresError) -> VersionWindow {
    guard let window = windows[table.name] else { return .unbounded }
    guard window.isUnbounded else { return window }
    return try typed.exact(as: table.version.baseType, timeZone: timeZone, connection)
  }

  /// That it went by another rule or zone than a verification with these options does, which then calls rows different that
  /// are as the run left them.
  func differences(from options: MergeOptions) -> [Finding] {
    var differing: [(run: String, now: String)] = []
    if timeZone != options.timeZone {
      differing.append(("--time-zone \(timeZone)", "--time-zone \(options.timeZone)"))
    }
    if let nulls, nulls != options.nulls {
      differing.append(("--nulls \(nulls.rawValue)", "--nulls \(options.nulls.rawValue)"))
    }
    return differing.map {
      .warning(
        .otherOptions,
        nil,
        "run \(id) merged with \($0.run), and this goes by \($0.now): rows may differ for that reason alone. Give it as the run had it."
      )
    }
  }
}
