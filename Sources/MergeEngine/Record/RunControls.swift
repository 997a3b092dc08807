import Libpq

/// What somebody has asked a run to do, in `merge_controls`: written by `merge-engine control`, taken by the run.
struct RunControls {
  static let name = "merge_controls"

  let runID: Int
  let admin: Identifier

  /// Something that was asked for.
  struct Entry: Sendable {
    let id: Int
    let request: ControlRequest
  }

  /// Asks.
  ///
  /// - Returns: the entry's id.
  func ask(_ request: ControlRequest, _ connection: Connection) throws(PostgresError) -> Int {
    let row = try connection.query(
      """
      INSERT INTO \(admin).merge_controls (run_id, action, value, requested_at, requested_by)
      VALUES (\(runID), $1, $2, clock_timestamp() AT TIME ZONE 'UTC', session_user)
      RETURNING id
      """,
      [.text(request.action), .bigint(request.value)],
      "asking run \(runID) to \(request)"
    )
    return row.integer(0, 0) ?? 0
  }

  /// What was asked for and not taken yet, in that order. What this version does not know stays where it is.
  func pending(_ connection: Connection) throws(PostgresError) -> [Entry] {
    let rows = try connection.query(
      "SELECT id, action, value FROM \(admin).merge_controls WHERE run_id = \(runID) AND taken_at IS NULL ORDER BY id",
      "reading the requests to run \(runID)"
    )
    return (0..<rows.count).compactMap { row in
      guard let request = ControlRequest(action: rows.text(row, 1) ?? "", value: rows.integer(row, 2)) else {
        return nil
      }
      return Entry(id: rows.integer(row, 0) ?? 0, request: request)
    }
  }

  /// Says that what was asked for is done.
  func take(_ ids: [Int], _ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      UPDATE \(admin).merge_controls SET taken_at = clock_timestamp() AT TIME ZONE 'UTC'
      WHERE id = ANY ($1::text[]::bigint[])
      """,
      [.textArray(ids.map(String.init))],
      "recording that run \(runID) met a request"
    )
  }

  /// Whether what was asked for is done.
  func isTaken(_ id: Int, _ connection: Connection) throws(PostgresError) -> Bool {
    try connection.query(
      "SELECT taken_at IS NOT NULL FROM \(admin).merge_controls WHERE id = \(id)",
      "waiting for run \(runID)"
    ).bool(0, 0) == true
  }

  /// Says why the run is paused; nil when it is not.
  func note(pause reason: String?, _ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      "UPDATE \(admin).merge_summary SET paused_because = $1 WHERE id = \(runID)",
      [.text(reason)],
      "recording that run \(runID) \(reason == nil ? "continues" : "is paused")"
    )
  }
}
