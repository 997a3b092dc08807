import Foundation
import Libpq
import Logging

/// The records of runs as files, and the end of old ones.
package struct RunArchive: Sendable {
  private let session: Session
  private let admin: Identifier

  /// - Parameters:
  ///   - target: the database with the admin schema.
  ///   - schemas: where it is.
  ///   - logger: gets the server's notices.
  package init(target: ConnectionTarget, schemas: Schemas, logger: Logger) {
    session = Session(target: target, schemas: schemas, logger: logger)
    admin = Identifier(schemas.admin)
  }

  /// The latest run of these schemas that is at an end; nil if there is none.
  package func latest() throws -> Int? {
    let row = try connect().query(
      "SELECT max(id) FROM \(admin).merge_summary AS r WHERE \(isAtAnEnd)",
      "looking for the latest run"
    )
    return row.integer(0, 0)
  }

  /// Runs of these schemas at an end that began more than `days` days ago, oldest first.
  package func runs(olderThanDays days: Int) throws -> [Int] {
    let rows = try connect().query(
      """
      SELECT id FROM \(admin).merge_summary AS r
      WHERE \(isAtAnEnd) AND merge_start < clock_timestamp() AT TIME ZONE 'UTC' - make_interval(days => $1)
      ORDER BY id
      """,
      [.integer(Int32(clamping: days))],
      "looking for old runs"
    )
    return (0..<rows.count).compactMap { rows.integer($0, 0) }
  }

  /// Writes everything that is known about a run into `folder`, as `run-12.json`, readable by this user only since refused
  /// rows are in it with their values.
  ///
  /// - Returns: the file's path.
  /// - Throws: ``MergeFailure/usage(_:)`` if there is no such run, ``MergeFailure/blocked(_:)`` if it can't be written.
  package func write(_ id: Int, to folder: String) throws -> String {
    let row = try connect().query(
      """
      SELECT jsonb_pretty(jsonb_build_object(
        'run', to_jsonb(r),
        'tables', coalesce((SELECT jsonb_agg(to_jsonb(l) ORDER BY l.id) FROM \(admin).merge_logs l WHERE l.run_id = r.id), '[]'),
        'errors', coalesce((SELECT jsonb_agg(to_jsonb(e) ORDER BY e.id) FROM \(admin).merge_errors e WHERE e.run_id = r.id), '[]'),
        'batches', coalesce((SELECT jsonb_agg(to_jsonb(b) ORDER BY b.id) FROM \(admin).merge_batches b WHERE b.run_id = r.id), '[]'),
        'verifications', coalesce((SELECT jsonb_agg(to_jsonb(v) ORDER BY v.id) FROM \(admin).merge_verifications v
                                   WHERE v.run_id = r.id), '[]'),
        'controls', coalesce((SELECT jsonb_agg(to_jsonb(c) ORDER BY c.id) FROM \(admin).merge_controls c WHERE c.run_id = r.id), '[]')))
      FROM \(admin).merge_summary r WHERE r.id = $1
      """,
      [.bigint(id)],
      "reading run \(id)"
    )
    guard row.count == 1, let text = row.text(0, 0) else {
      throw MergeFailure.usage("there is no run \(id); merge-engine status shows the last runs.")
    }
    let path = URL(filePath: folder).appending(path: "run-\(id).json").path(percentEncoded: false)
    do {
      try FileManager.default.createDirectory(
        atPath: folder,
        withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700]
      )
      try AtomicFile(path: path).write(text + "\n")
    } catch {
      let reason = (error as? AtomicFile.Failure)?.description ?? "\(folder) can't be made: \(SystemReason.of(error))"
      throw MergeFailure.blocked([.blocker(.file, nil, "the archive of run \(id): \(reason)")])
    }
    return path
  }

  /// Drops the before-images of runs at an end that were made more than `days` days ago.
  ///
  /// - Returns: the tables that were dropped.
  package func dropBeforeImages(olderThanDays days: Int) throws -> [String] {
    let connection = try connect()
    try connection.execute("BEGIN", "dropping before-images")
    let old = try BeforeImageCatalog(schemas: session.schemas).entries(olderThanDays: days, connection)
    try drop(old, connection)
    try connection.execute("COMMIT", "dropping before-images")
    return old.map(\.image.name.name)
  }

  private func drop(_ entries: [BeforeImageCatalog.Entry], _ connection: Connection) throws {
    for entry in entries { try BeforeImageCatalog(schemas: session.schemas).drop(entry, connection) }
  }

  /// Deletes the records of these runs, and their before-images, all in one transaction.
  ///
  /// Refusals that stand are no log, nor are those that somebody has dismissed, as long as their rows are there: without them the
  /// rows would count as merged. A replay that has read all of its snapshot leaves nothing to know, since the next one begins anew.
  package func delete(_ ids: [Int]) throws {
    guard !ids.isEmpty else { return }
    let list = ids.map { "\($0)" as SQL }.joined(", ")
    let connection = try connect()
    let staging = try session.connectStagingControl(beside: connection)
    let standing = RefusalStanding(admin: admin, production: connection, staging: staging)
    let gone = Literal("{" + (try standing.gone().map(String.init).joined(separator: ",")) + "}")
    try connection.execute("BEGIN", "deleting the records of old runs")
    let images = BeforeImageCatalog(schemas: session.schemas)
    for id in ids { try drop(try images.entries(ofRun: id, connection).filter { $0.droppedAt == nil }, connection) }
    try connection.execute(
      """
      DELETE FROM \(admin).before_images WHERE run_id IN (\(list));
      DELETE FROM \(admin).merge_verifications WHERE run_id IN (\(list));
      DELETE FROM \(admin).merge_batches WHERE run_id IN (\(list));
      DELETE FROM \(admin).merge_controls WHERE run_id IN (\(list));
      DELETE FROM \(admin).merge_errors
      WHERE run_id IN (\(list))
        AND (retried_at IS NOT NULL OR id::bigint = ANY (\(gone)::bigint[]) AND dismissed_at IS NOT NULL
             OR staging_xmin IS NULL
                AND (snapshot_id IS NULL OR run_id IN (SELECT id FROM \(admin).merge_summary WHERE status IN ('SUCCESS', 'PARTIAL'))));
      DELETE FROM \(admin).merge_logs WHERE run_id IN (\(list));
      DELETE FROM \(admin).merge_summary WHERE id IN (\(list));
      COMMIT
      """,
      "deleting the records of old runs"
    )
  }

  /// A run of these schemas; others of the same admin schema keep their records, and so do runs that have merged other pairs besides.
  private var isAtAnEnd: SQL {
    "status NOT IN ('RUNNING', 'LOADING', 'ROLLING BACK') AND \(PairSQL(schemas: session.schemas).ownsAllOfRun("r"))"
  }

  private func connect() throws -> Connection {
    let connection = try session.reachControl()
    try AdminSchema(schemas: session.schemas).require(connection)
    try RunRecord.closeDeadRuns(connection, session.schemas)
    return connection
  }
}
