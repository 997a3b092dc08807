import Foundation

/// Where staging and a running merge stand at one moment, as another terminal sees it.
package struct LiveStatus: Sendable, Encodable {
  /// When the server was asked, by its clock, UTC, ISO 8601.
  package let at: String
  /// One entry a staging table.
  package let tables: [Table]
  /// The workers of merges in this database, by run and number.
  package let workers: [WorkerActivity]
  /// The latest run; nil if there was none.
  package let lastRun: MergeStatus.RunSummary?

  /// Whether a merge is going on.
  package var isRunning: Bool { lastRun?.status == RunStatus.running.rawValue }

  private enum CodingKeys: String, CodingKey {
    case at, tables, workers
    case lastRun = "last_run"
  }

  /// One object; `last_run` is there, as null, before the first run too.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(at, forKey: .at)
    try container.encode(tables, forKey: .tables)
    try container.encode(workers, forKey: .workers)
    try container.encode(lastRun, forKey: .lastRun)
  }

  /// One staging table.
  package struct Table: Sendable, Encodable {
    /// Its rows by status: counted, or carried on from the last count by what the run has committed since.
    package let status: StagingStatus
    /// The rows are the server's estimate, because counting takes too long.
    package let isEstimate: Bool
    /// Rows that have met their verdict.
    package let done: Int
    /// Rows that the running merge reads in a second, over the last ten; nil when none is running.
    package let rowsPerSecond: Double?

    /// How long the rest takes at that rate; nil without one.
    package var secondsLeft: Double? {
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
    package func encode(to encoder: any Encoder) throws {
      try status.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(isEstimate, forKey: .isEstimate)
      try container.encode(done, forKey: .done)
      try container.encode(rowsPerSecond.map { $0.rounded() }, forKey: .rowsPerSecond)
      try container.encode(secondsLeft.map { $0.rounded() }, forKey: .secondsLeft)
    }
  }
}
