import Foundation

/// Where staging and a running merge stand at one moment, as another terminal sees it.
public struct LiveStatus: Sendable, Encodable {
  /// When the server was asked, by its clock, UTC, ISO 8601.
  public let at: String
  /// One entry a staging table.
  public let tables: [Table]
  /// The workers of merges in this database, by run and number.
  public let workers: [WorkerActivity]
  /// The latest run; nil if there was none.
  public let lastRun: MergeStatus.RunSummary?

  /// Whether a merge is going on.
  public var isRunning: Bool { lastRun?.status == RunStatus.running.rawValue }

  private enum CodingKeys: String, CodingKey {
    case at, tables, workers
    case lastRun = "last_run"
  }

  /// One object; `last_run` is there, as null, before the first run too.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(at, forKey: .at)
    try container.encode(tables, forKey: .tables)
    try container.encode(workers, forKey: .workers)
    try container.encode(lastRun, forKey: .lastRun)
  }

  /// One staging table.
  public struct Table: Sendable, Encodable {
    /// Its rows by status: counted, or carried on from the last count by what the run has committed since.
    public let status: StagingStatus
    /// The rows are the server's estimate, because counting takes too long.
    public let isEstimate: Bool
    /// Rows that have met their verdict.
    public let done: Int
    /// Rows that the running merge reads in a second, over the last ten; nil when none is running.
    public let rowsPerSecond: Double?

    /// How long the rest takes at that rate; nil without one.
    public var secondsLeft: Double? {
      guard let rowsPerSecond, rowsPerSecond > 0 else { return nil }
      return Double(max(status.total - done, 0)) / rowsPerSecond
    }

    private enum CodingKeys: String, CodingKey {
      case isEstimate = "is_estimate"
      case done
      case rowsPerSecond = "rows_per_second"
      case secondsLeft = "seconds_left"
    }

    /// The counts stand beside the rest, not below it.
    public func encode(to encoder: any Encoder) throws {
      try status.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(isEstimate, forKey: .isEstimate)
      try container.encode(done, forKey: .done)
      try container.encode(rowsPerSecond.map { $0.rounded() }, forKey: .rowsPerSecond)
      try container.encode(secondsLeft.map { $0.rounded() }, forKey: .secondsLeft)
    }
  }
}
