import Foundation
import Libpq

/// What the last merge of staging (no replay, no repair) was asked to do, from `merge_summary.parameters`.
struct LastRun {
  let id: Int
  let from: String?
  let to: String?
  /// The tables that it merged, by their plain names.
  let tables: Set<String>

  private struct Parameters: Decodable {
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
      let result = try connection.query(
        """
        SELECT r.id::bigint, r.parameters::text,
               coalesce((SELECT json_agg(DISTINCT l.table_name) FROM \(admin).merge_logs l WHERE l.run_id = r.id), '[]')::text
        FROM \(admin).merge_summary r
        WHERE r.status IN ('SUCCESS', 'PARTIAL') AND r.parameters IS NOT NULL AND NOT r.parameters ?| ARRAY['snapshot', 'repair']
        ORDER BY r.id DESC LIMIT 1
        """,
        "reading the parameters of the last run"
      )
      guard result.count == 1, let parameters = JSONText.decode(Parameters.self, result.text(0, 1)) else { return nil }
      return LastRun(
        id: result.integer(0, 0) ?? 0,
        from: parameters.from,
        to: parameters.to,
        tables: Set(JSONText.decode([String].self, result.text(0, 2)) ?? [])
      )
    } catch {
      guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
      return nil
    }
  }
}
