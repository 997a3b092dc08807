import Libpq

/// The run that is rolled back, in `merge_summary`: one row tells the whole story of a run, its end included.
struct RollbackRecord {
  let runID: Int
  let admin: Identifier

  /// What `merge_summary.status` says about a run from its rollback on.
  enum Status: String {
    /// Under way, or broken off: the next rollback of the run goes on. ``RunStatus/rollingBack``.
    case running = "ROLLING BACK"
    /// Rows were left alone, or the rollback was stopped: it can be run again.
    case partial = "ROLLED BACK IN PART"
    /// Nothing of the run is left to take back.
    case complete = "ROLLED BACK"
  }

  /// Finds the run, and sees whether it can be rolled back at all.
  ///
  /// - Parameter schemas: those that the rollback is to be made in.
  /// - Throws: ``MergeFailure/usage(_:)`` if there is no such run, ``MergeFailure/blocked(_:)``.
  func requireEnded(in schemas: Schemas, _ connection: Connection) throws {
    let row = try connection.query(
      """
      SELECT status::text, notes, \(PairSQL(schemas: schemas).ownsRun("r")), parameters #>> '{schemas,staging}',
             parameters #>> '{schemas,production}'
      FROM \(admin).merge_summary AS r WHERE id = \(runID)
      """,
      "looking for run \(runID)"
    )
    guard row.count == 1 else {
      throw MergeFailure.usage("there is no run \(runID); merge-engine status shows the last runs.")
    }
    guard row.bool(0, 2) == true else {
      let (staging, production) = (row.text(0, 3) ?? "", row.text(0, 4) ?? "")
      throw Self.blocked(
        "run \(runID) merged \(staging) into \(production), not \(schemas.staging) into \(schemas.production). Name its "
          + "schemas: --staging-schema \(staging) --production-schema \(production)"
      )
    }
    switch row.text(0, 0) {
    case Status.complete.rawValue:
      let notes = row.text(0, 1)?.split(separator: "\n").last.map { " \($0)" } ?? ""
      throw Self.blocked("run \(runID) has already been rolled back.\(notes)")
    case RunStatus.running.rawValue:
      throw Self.blocked(
        "run \(runID) is still in progress. Wait for it to end, or stop it: the batches it has committed by then can be rolled back."
      )
    case RunStatus.loading.rawValue:
      throw Self.blocked("run \(runID) is still loading into staging and has not merged anything yet.")
    default: break
    }
  }

  /// Whether the run was a repair, whose staging rows were merged before it, and stay so.
  func isRepair(_ connection: Connection) throws(PostgresError) -> Bool {
    try connection.query(
      "SELECT parameters ? 'repair' FROM \(admin).merge_summary WHERE id = \(runID)",
      "looking for run \(runID)"
    ).bool(0, 0) == true
  }

  /// What the next merge makes of staging rows that this run has merged a second time, if any.
  func warningOfRereading(_ connection: Connection) throws(PostgresError) -> String? {
    let row = try connection.query(
      "SELECT parameters ->> 'again' = 'true' FROM \(admin).merge_summary WHERE id = \(runID)",
      "looking for run \(runID)"
    )
    guard row.bool(0, 0) == true else { return nil }
    return
      "run \(runID) read rows again that earlier runs had merged (--again). Those that it wrote are to be read once more after the "
      + "rollback, and the next merge brings back what has been deleted from production since."
  }

  /// How the run has read zone-less times: staging's keys are to be read in the same way, whatever is set today.
  func timeZone(_ connection: Connection) throws(PostgresError) -> String? {
    try connection.query(
      "SELECT parameters ->> 'time_zone' FROM \(admin).merge_summary WHERE id = \(runID)",
      "looking for run \(runID)"
    ).text(0, 0)
  }

  static func blocked(_ message: String) -> MergeFailure { .blocked([.blocker(.runState, nil, message)]) }

  /// Says that the rollback is under way. What the run has read of a snapshot's files is to be read again by the next replay;
  /// what it was asked to do and has not done is no business of the rollback's.
  func begin(_ tables: [RollbackTable], _ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      WITH forgotten AS (
        UPDATE \(admin).merge_progress SET superseded_at = clock_timestamp() AT TIME ZONE 'UTC'
        WHERE run_id = \(runID) AND source LIKE 'snapshot %' AND production_oid::oid = ANY ($2) AND superseded_at IS NULL
      ), overtaken AS (
        UPDATE \(admin).merge_controls SET taken_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE run_id = \(runID) AND taken_at IS NULL
      )
      UPDATE \(admin).merge_summary SET status = $1 WHERE id = \(runID)
      """,
      [.text(Status.running.rawValue), .oidArray(tables.map(\.entry.productionOid))],
      "recording the rollback of run \(runID)"
    )
  }

  /// Says how the rollback ended, behind what the merge has noted.
  func close(_ status: Status, note: String, _ connection: Connection) throws(PostgresError) {
    _ = try connection.query(
      """
      UPDATE \(admin).merge_summary
      SET status = $1, paused_because = NULL,
          notes = concat_ws(E'\\n', notes, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC: ' || $2)
      WHERE id = \(runID)
      """,
      [.text(status.rawValue), .text(note)],
      "recording the rollback of run \(runID)"
    )
  }

  /// Counts what a batch has taken back, in its transaction.
  func add(restored: Int, deleted: Int, _ table: RollbackTable, _ connection: Connection) throws(PostgresError) {
    try connection.execute(
      """
      UPDATE \(admin).before_images
      SET records_restored = records_restored + \(restored), records_deleted = records_deleted + \(deleted)
      WHERE image_oid = \(table.entry.imageOid)
      """,
      "recording the rollback of \(table.production)"
    )
  }
}
