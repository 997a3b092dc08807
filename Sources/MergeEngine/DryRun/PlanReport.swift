import Foundation

/// What a merge would do; encodes as the contract's JSON of a merge, with `"dry_run": true`.
public struct PlanReport: Sendable, Encodable {
  /// How the dry run ended.
  public enum Status: String, Sendable, Codable {
    /// The merge can go on; the counts are what it would report.
    case success = "SUCCESS"
    /// The same, but rows stand refused by earlier runs.
    case partial = "PARTIAL"
    /// A finding stands against the merge; nothing was counted.
    case blocked = "BLOCKED"
    /// The dry run was interrupted; the counts are those up to then.
    case aborted = "ABORTED"
  }

  /// How the dry run ended.
  public let status: Status
  /// When it began, by this machine's clock.
  public let startedAt: Date
  /// When it ended, by this machine's clock.
  public let finishedAt: Date
  /// Wall clock of the dry run.
  public let elapsedMilliseconds: Int
  /// The workers that the merge would have, for which the time is estimated; the dry run itself has one.
  public let workers: Int
  /// The most staging rows in one batch.
  public let batchRows: Int
  /// One entry a table, parents first.
  public let tables: [Table]
  /// Blockers first, then warnings.
  public let findings: [Finding]
  /// Rows that earlier runs have refused, and that are still in staging as they were.
  public let standingErrors: Int

  /// The sum of all tables.
  public var totals: VerdictCounts { tables.reduce(into: VerdictCounts()) { $0 += $1.counts } }

  /// One table.
  public struct Table: Sendable {
    /// The table's plain name.
    public let table: String
    /// What the merge would report.
    public let counts: VerdictCounts
    /// Rows as new as production's that hold something else: what `--ties compare` would repair, or repairs.
    public let differingTieCount: Int
    /// Wall clock of the dry run.
    public let elapsedMilliseconds: Int
    /// Pages of production and its indexes that look-ups visited; counted only of a table that is likely to be cold.
    public let pages: PageCounts
    /// Whether production is likely to be larger than memory.
    public let isCold: Bool
    /// What the merge would cost.
    public let estimate: MergeEstimate
    /// Some rows of each kind.
    public let samples: [Sample]
  }

  /// What a sample stands for.
  public enum SampleKind: String, Sendable, Codable, CaseIterable {
    /// Production does not have it.
    case insert
    /// Production has an older one.
    case update
    /// Production has one as new.
    case unchanged
    /// Production has a newer one.
    case stale
    /// A newer row of the same key stands in the same batch.
    case duplicate
    /// The server can't read it as production's types.
    case error
    /// Production has one as new that holds something else, and ties are skipped.
    case tie
  }

  /// A staging row beside production's.
  public struct Sample: Sendable, Codable {
    /// What becomes of the row.
    public let verdict: SampleKind
    /// The key's columns as text.
    public let key: [String: String?]
    /// The columns that differ; for an insert all columns.
    public let columns: [ColumnChange]
    /// Why the server can't read the row.
    public let message: String?
  }

  /// A column of a sample, values as text and cut after 200 characters.
  public struct ColumnChange: Sendable, Codable, Hashable {
    /// The column's name.
    public let column: String
    /// Production's value; nil for NULL and for a row that production does not have.
    public let old: String?
    /// Staging's value; nil for NULL.
    public let new: String?
  }

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case isDryRun = "dry_run"
    case status
    case startedAt = "started_at"
    case finishedAt = "finished_at"
    case elapsedMilliseconds = "elapsed_ms"
    case workers
    case batchRows = "batch"
    case tables, totals, findings
  }

  private enum TotalsKeys: String, CodingKey {
    case rowsPerSecond = "rows_per_second"
    case standingErrors = "standing_errors"
    case pending
    case differingTieCount = "ties_differing"
    case estimate
  }

  /// The contract's object.
  public func encode(to encoder: any Encoder) throws {
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeNil(forKey: .runID)
    try container.encode(true, forKey: .isDryRun)
    try container.encode(status, forKey: .status)
    try container.encode(startedAt.formatted(style), forKey: .startedAt)
    try container.encode(finishedAt.formatted(style), forKey: .finishedAt)
    try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
    try container.encode(workers, forKey: .workers)
    try container.encode(batchRows, forKey: .batchRows)
    try container.encode(tables, forKey: .tables)
    try container.encode(findings, forKey: .findings)
    let totalsEncoder = container.superEncoder(forKey: .totals)
    try totals.encode(to: totalsEncoder)
    var totalsContainer = totalsEncoder.container(keyedBy: TotalsKeys.self)
    let rate = elapsedMilliseconds > 0 ? totals.read * 1000 / elapsedMilliseconds : 0
    try totalsContainer.encode(rate, forKey: .rowsPerSecond)
    try totalsContainer.encode(standingErrors, forKey: .standingErrors)
    // All that are to be read meet a verdict.
    try totalsContainer.encode(0, forKey: .pending)
    try totalsContainer.encode(tables.reduce(0) { $0 + $1.differingTieCount }, forKey: .differingTieCount)
    try totalsContainer.encode(tables.reduce(into: MergeEstimate()) { $0 += $1.estimate }, forKey: .estimate)
  }
}

extension PlanReport.Table: Encodable {
  private enum CodingKeys: String, CodingKey {
    case table
    case differingTieCount = "ties_differing"
    case elapsedMilliseconds = "elapsed_ms"
    case pagesVisited = "pages_visited"
    case pagesRead = "pages_read"
    case isCold = "cold"
    case estimate, samples
  }

  /// The counts stand beside the name, not below it.
  public func encode(to encoder: any Encoder) throws {
    try counts.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(table, forKey: .table)
    try container.encode(differingTieCount, forKey: .differingTieCount)
    try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
    try container.encode(pages.visited, forKey: .pagesVisited)
    try container.encode(pages.read, forKey: .pagesRead)
    try container.encode(isCold, forKey: .isCold)
    try container.encode(estimate, forKey: .estimate)
    try container.encode(samples, forKey: .samples)
  }
}
