import Foundation
import Libpq

/// What the last merge of staging (and not a replay) was asked to do, from `merge_summary.parameters`.
struct LastRun: Decodable {
  let mark: MergeOptions.Mark?
  let from: String?
  let to: String?

  /// - Parameter onlyCompleted: runs that came to no good end don't count.
  /// - Returns: nil when there was no run, or its record can't be read: the guide's own tables have no parameters, and a
  ///   role may be kept from them.
  static func read(
    _ connection: Connection,
    _ schemas: Schemas,
    onlyCompleted: Bool = true
  ) throws(PostgresError) -> LastRun? {
    do {
      let result = try connection.query(
        """
        SELECT parameters::text FROM \(Identifier(schemas.admin)).merge_summary
        WHERE (status IN ('SUCCESS', 'PARTIAL') OR NOT $1) AND parameters IS NOT NULL AND NOT parameters ? 'snapshot'
        ORDER BY id DESC LIMIT 1
        """,
        [.bool(onlyCompleted)],
        "reading the parameters of the last run"
      )
      guard result.count == 1, let json = result.text(0, 0) else { return nil }
      return try? JSONDecoder().decode(LastRun.self, from: Data(json.utf8))
    } catch {
      guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
      return nil
    }
  }
}
