/// How far the merge of one table has come.
public struct TableProgress: Sendable {
  /// The table's plain name.
  public let table: String
  /// How many rows staging has, about; nil when nobody has counted.
  public internal(set) var expectedRowCount: Int?
  /// What is merged.
  public internal(set) var counts = VerdictCounts()
  /// Blocks of staging that are done.
  public internal(set) var blocksDone = 0
  /// Blocks that staging has.
  public internal(set) var blockCount = 0
  /// Since the table's first batch was begun; nil before.
  public internal(set) var elapsedMilliseconds: Int?
  /// Whether the table is done.
  public internal(set) var isFinished = false
}
