/// Where a running merge stands.
public struct RunProgress: Sendable {
  /// One entry a table, parents first.
  public let tables: [TableProgress]
  /// Wall clock since the run began.
  public let elapsedMilliseconds: Int
  /// The run's id; nil for work that is no run, as a dry run.
  public let runID: Int?

  init(_ tables: [WorkQueue.TableState], since start: ContinuousClock.Instant, runID: Int? = nil) {
    self.runID = runID
    elapsedMilliseconds = (ContinuousClock.now - start).milliseconds
    self.tables = tables.map(\.progressNow)
  }
}
