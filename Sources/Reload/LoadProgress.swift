/// How far a load is.
public struct LoadProgress: Sendable, Hashable {
  /// The task's state.
  public var status: String
  /// AWS's estimate.
  public var percent: Int?
  /// Tables that are done, and all that are expected.
  public var tablesLoaded: Int
  /// All that are expected.
  public var tableCount: Int
  /// Rows so far, of all tables.
  public var rows: Int
  /// Since the start.
  public var elapsedMilliseconds: Int

  /// Rows in a second since the start.
  public var rowsPerSecond: Int { elapsedMilliseconds > 0 ? rows * 1000 / elapsedMilliseconds : 0 }
}
