import Libpq
import Logging

/// How far the replay of all tables of a run has come; of nothing when the run merges from staging.
struct ReplayProgress {
  private let tables: [(index: Int, progress: SnapshotProgress)]
  private let schemas: Schemas

  init(_ plan: MergePlan, _ schemas: Schemas) {
    self.schemas = schemas
    tables = plan.tables.indices.compactMap { index in
      SnapshotProgress(plan.tables[index], admin: Identifier(schemas.admin)).map { (index: index, progress: $0) }
    }
  }

  /// Whether the run is a replay.
  var isReplay: Bool { !tables.isEmpty }

  /// Looks where an earlier replay has stopped, and what has changed since the snapshot was taken, and says so.
  ///
  /// - Parameter startsOver: what is done is forgotten, and everything read anew.
  func begin(startsOver: Bool, _ connection: Connection, _ logger: Logger) throws(PostgresError) {
    let hasFormer = isReplay ? try AdminSchema(schemas: schemas).hasFormerProgress(connection) : false
    for (_, progress) in tables {
      for difference in progress.snapshot.differences(progress.table) {
        logger.warning("\(difference)", metadata: ["table": "\(progress.table.name)"])
      }
      if hasFormer { try progress.adoptFormer(connection) }
      if startsOver { try progress.forget(connection) }
      let doneCount = try progress.done(connection).reduce(0) { $0 + $1.count }
      guard doneCount > 0 else {
        try progress.retireRefusals(connection)
        continue
      }
      logger.info(
        "an earlier replay was not finished: continuing after \(doneCount) of \(progress.snapshot.file.table.rowCount) rows",
        metadata: ["table": "\(progress.table.name)"]
      )
    }
  }

  /// What is still to be read of the tables' files.
  func remaining(_ connection: Connection) throws(PostgresError) -> [Int: [SnapshotSlice]] {
    var slices: [Int: [SnapshotSlice]] = [:]
    for (index, progress) in tables {
      let done = try progress.done(connection)
      slices[index] = SnapshotSlice.remaining(of: progress.snapshot.file.pieces, done: done)
    }
    return slices
  }

  /// How many rows stand refused by runs that broke off before this one.
  func standingCount(before runID: Int, _ connection: Connection) throws(PostgresError) -> Int {
    var count = 0
    for (_, progress) in tables { count += try progress.standingCount(before: runID, connection) }
    return count
  }

  /// Forgets everything, as the last act of a replay in which every row met its verdict: the next one begins anew.
  func finish(_ connection: Connection) throws(PostgresError) {
    for (_, progress) in tables { try progress.forget(connection) }
  }
}
