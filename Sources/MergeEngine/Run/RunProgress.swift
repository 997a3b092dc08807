/// Where a running merge stands.
public struct RunProgress: Sendable {
  /// One entry a table, parents first.
  public let tables: [TableProgress]
  /// Wall clock since the run began.
  public let elapsedMilliseconds: Int
  /// The run's id; nil for work that is no run, as a dry run.
  public let runID: Int?
  /// Why nothing is carried at the moment; nil if something is.
  public let pauseReason: String?

  init(
    _ tables: [WorkQueue.TableState],
    since start: ContinuousClock.Instant,
    runID: Int? = nil,
    pauseReason: String? = nil
  ) {
    self.runID = runID
    self.pauseReason = pauseReason
    elapsedMilliseconds = (ContinuousClock.now - start).milliseconds
    self.tables = tables.map(\.progressNow)
  }

  init(_ tables: [TableProgress], since start: ContinuousClock.Instant, runID: Int?, pauseReason: String?) {
    self.tables = tables
    elapsedMilliseconds = (ContinuousClock.now - start).milliseconds
    self.runID = runID
    self.pauseReason = pauseReason
  }

  /// - Parameter others: by place, tables whose progress does not stand in `tables`.
  init(_ tables: [WorkQueue.TableState], _ others: [Int: TableProgress], since start: ContinuousClock.Instant) {
    runID = nil
    pauseReason = nil
    elapsedMilliseconds = (ContinuousClock.now - start).milliseconds
    self.tables = tables.indices.map { others[$0] ?? tables[$0].progressNow }
  }
}
