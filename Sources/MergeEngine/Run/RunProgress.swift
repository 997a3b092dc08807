/// Where a running merge stands.
public struct RunProgress: Sendable {
  /// One entry a table, parents first.
  public let tables: [TableProgress]
  /// Wall clock since the run began.
  public let elapsedMilliseconds: Int

  init(_ tables: [WorkQueue.TableState], since start: ContinuousClock.Instant) {
    elapsedMilliseconds = (ContinuousClock.now - start).milliseconds
    self.tables = tables.map(\.progressNow)
  }
}
