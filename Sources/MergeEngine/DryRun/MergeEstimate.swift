import Libpq

/// What a merge would cost, reckoned from what the dry run has measured.
///
/// - Time: reading staging and looking up production are what the dry run took for the very same rows. Writing is
///   reckoned with the costs a row that were measured on one machine (PostgreSQL 15, two cores: an insert 2.3 µs and
///   1 µs an index, an update 5 µs and 2 µs an index, a mark 1.1 µs, or 6 µs where it is no HOT update), scaled by how
///   this server's reading compares with that one's 1.9 µs a row. Two workers take 1/1.8 of the time, more no less.
/// - WAL: the bytes of the rows to be written and 28 bytes a row for an insert, 94 for an update; 72 bytes for each index
///   entry; 80 bytes a mark, and 72 for each of staging's indexes where it is no HOT update. Measured on the guide's
///   orders. Full page images come on top, see ``fullPageByteCountAtMost``.
/// - How many updates are HOT, and write no index entry: none if an index holds the version; else the share that the
///   statistics of production show for the past, and without a past all or none by the table's fillfactor.
/// - Dead tuples: one for every row that is updated, and one for every mark.
public struct MergeEstimate: Sendable, Encodable {
  /// Wall clock with the workers that were asked for.
  public private(set) var elapsedMilliseconds = 0
  /// Write-ahead log without full page images.
  public private(set) var walByteCount = 0
  /// What full page images may add: every block of the tables and indexes that is touched, once a checkpoint. At most
  /// one block for every row and index entry written, and no more blocks than there are.
  public private(set) var fullPageByteCountAtMost = 0
  /// Dead tuples left in production, for VACUUM.
  public private(set) var deadProductionRowCount = 0
  /// Dead tuples left in staging by marks.
  public private(set) var deadStagingRowCount = 0

  private enum CodingKeys: String, CodingKey {
    case elapsedMilliseconds = "elapsed_ms"
    case walByteCount = "wal_bytes"
    case fullPageByteCountAtMost = "full_page_bytes_max"
    case deadProductionRowCount = "dead_tuples_production"
    case deadStagingRowCount = "dead_tuples_staging"
  }

  /// Nothing to do.
  public init() {}

  /// Reads the sizes and indexes of both tables.
  init(
    _ plan: TablePlan,
    _ outcome: DryRunOutcome,
    workers: Int,
    production: Connection,
    staging: Connection
  ) throws(PostgresError) {
    let sizes = try TableSizes(plan.production, version: plan.version.name, production)
    let stagingSizes = try TableSizes(plan.staging, version: TablePlanner.statusColumn, staging)
    let counts = outcome.counts
    let indexCount = Double(sizes.indexCount)
    let touchedIndexCount = indexCount * (1 - sizes.hotShare)
    let marksCount = plan.writing.marksRows ? counts.read - counts.errors : 0
    let marksAreHot = stagingSizes.fillFactor <= StagingFindings.hotFillFactorLimit && !stagingSizes.columnIsIndexed

    deadProductionRowCount = counts.updated
    deadStagingRowCount = marksCount

    let inserted = Double(counts.inserted)
    let updated = Double(counts.updated)
    let marks = Double(marksCount)
    let indexEntries = inserted * indexCount + updated * touchedIndexCount
    let markEntries = marksAreHot ? 0 : marks * Double(stagingSizes.indexCount)
    walByteCount = Int(
      Double(outcome.insertedByteCount + outcome.updatedByteCount)
        + inserted * 28 + updated * 94 + (indexEntries + markEntries) * 72 + marks * 80
    )
    let blocks = min(inserted + updated + indexEntries, Double(sizes.blockCount))
    let stagingBlocks = min(marks + markEntries, Double(stagingSizes.blockCount))
    fullPageByteCountAtMost = sizes.logsFullPages ? Int(blocks + stagingBlocks) * sizes.blockByteCount : 0

    let lookSeconds = (outcome.readTime + outcome.probeTime) / .seconds(1)
    let lookMicroseconds = counts.read > 0 ? lookSeconds * 1e6 / Double(counts.read) : 1.9
    // A handful of rows measures the line, not the server.
    let scale = counts.read < 1000 ? 1 : min(max(lookMicroseconds / 1.9, 0.25), 10)
    let writeMicroseconds =
      inserted * (2.3 + indexCount) + updated * (5 + 2 * touchedIndexCount) + marks * (marksAreHot ? 1.1 : 6)
    elapsedMilliseconds = Int((lookSeconds * 1000 + writeMicroseconds * scale / 1000) / (workers > 1 ? 1.8 : 1))
  }

  /// Adds what is done elsewhere at the same time.
  mutating func addAside(_ other: MergeEstimate) {
    let time = max(elapsedMilliseconds, other.elapsedMilliseconds)
    self += other
    elapsedMilliseconds = time
  }

  static func += (left: inout Self, right: Self) {
    left.elapsedMilliseconds += right.elapsedMilliseconds
    left.walByteCount += right.walByteCount
    left.fullPageByteCountAtMost += right.fullPageByteCountAtMost
    left.deadProductionRowCount += right.deadProductionRowCount
    left.deadStagingRowCount += right.deadStagingRowCount
  }
}
