import Foundation

/// What a run did; encodes as the contract's JSON.
public struct RunReport: Sendable, Encodable {
  /// The run's id in `merge_summary`.
  public let runID: Int
  /// How it ended.
  public let status: RunStatus
  /// When it began, by this machine's clock.
  public let startedAt: Date
  /// When it ended, by this machine's clock.
  public let finishedAt: Date
  /// Wall clock of the whole run.
  public let elapsedMilliseconds: Int
  /// Connections that carried batches.
  public let workers: Int
  /// The most staging rows in one batch.
  public let batchRows: Int
  /// One entry a table, parents first.
  public let tables: [TableReport]
  /// Why tables failed; empty when none did.
  package let failures: [String]
  /// What should be known though it stopped nothing.
  package let warnings: [String]
  /// What should be known of the tables, found before the first row was read.
  public let findings: [Finding]
  /// Rows that earlier runs have refused, and that are still in staging as they were.
  public let standingErrors: Int
  /// Rows of staging that were not merged when the run ended.
  public let pending: Int

  /// The sum of all tables.
  public var totals: VerdictCounts {
    tables.reduce(into: VerdictCounts()) { $0 += $1.counts }
  }

  /// Staging rows read in a second of wall clock.
  public var rowsPerSecond: Int {
    Numbers.rate(totals.read, milliseconds: elapsedMilliseconds) ?? 0
  }

  /// What happened to one table.
  public struct TableReport: Sendable, Encodable {
    /// The table's plain name.
    public let table: String
    /// What its batches have committed.
    public let counts: VerdictCounts
    /// Wall clock from its first batch to its last, of all workers together.
    public let elapsedMilliseconds: Int
    /// Pages of production and its indexes, as far as the server has counted them.
    public let pages: PageCounts
    /// Whether some batches took production to be larger than memory, and had pages read ahead.
    public let isCold: Bool

    /// That, in words with the share of the pages that had to be read; nil where it was not so.
    public var coldNote: String? { isCold ? pages.coldNote : nil }

    private enum CodingKeys: String, CodingKey {
      case table
      case elapsedMilliseconds = "elapsed_ms"
      case pagesVisited = "pages_visited"
      case pagesRead = "pages_read"
      case isCold = "cold"
    }

    /// The counts stand beside the name, not below it.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(table, forKey: .table)
      try counts.encode(to: encoder)
      try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
      try container.encode(pages.visited, forKey: .pagesVisited)
      try container.encode(pages.read, forKey: .pagesRead)
      try container.encode(isCold, forKey: .isCold)
    }
  }

  private enum CodingKeys: String, CodingKey {
    case runID = "run_id"
    case status
    case startedAt = "started_at"
    case finishedAt = "finished_at"
    case elapsedMilliseconds = "elapsed_ms"
    case workers
    case batchRows = "batch"
    case tables, totals, findings, failures, warnings
  }

  private enum TotalsKeys: String, CodingKey {
    case rowsPerSecond = "rows_per_second"
    case standingErrors = "standing_errors"
    case pending
  }

  /// The contract's object.
  public func encode(to encoder: any Encoder) throws {
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(runID, forKey: .runID)
    try container.encode(status, forKey: .status)
    try container.encode(startedAt.formatted(style), forKey: .startedAt)
    try container.encode(finishedAt.formatted(style), forKey: .finishedAt)
    try container.encode(elapsedMilliseconds, forKey: .elapsedMilliseconds)
    try container.encode(workers, forKey: .workers)
    try container.encode(batchRows, forKey: .batchRows)
    try container.encode(tables, forKey: .tables)
    let totalsEncoder = container.superEncoder(forKey: .totals)
    try totals.encode(to: totalsEncoder)
    var totalsContainer = totalsEncoder.container(keyedBy: TotalsKeys.self)
    try totalsContainer.encode(rowsPerSecond, forKey: .rowsPerSecond)
    try totalsContainer.encode(standingErrors, forKey: .standingErrors)
    try totalsContainer.encode(pending, forKey: .pending)
    try container.encode(findings, forKey: .findings)
    if !failures.isEmpty { try container.encode(failures, forKey: .failures) }
    if !warnings.isEmpty { try container.encode(warnings, forKey: .warnings) }
  }
}
