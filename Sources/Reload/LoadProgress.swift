/// How far a load is.
package struct LoadProgress: Sendable, Hashable {
  /// The task's state.
  package var status: String
  /// AWS's estimate.
  package var percent: Int?
  /// Tables that are done, and all that are expected.
  package var tablesLoaded: Int
  /// All that are expected.
  package var tableCount: Int
  /// Rows so far, of all tables.
  package var rows: Int
  /// Since the start.
  package var elapsedMilliseconds: Int

  /// Rows in a second since the start.
  package var rowsPerSecond: Int { elapsedMilliseconds > 0 ? rows * 1000 / elapsedMilliseconds : 0 }
}
