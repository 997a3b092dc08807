/// What a rollback is asked to do; the names are those of the command line and of the configuration file.
public struct RollbackOptions: Sendable {
  /// The run to roll back.
  public var runID: Int
  /// Schemas, tables and column rules; of the limits the batch, the timeouts, and nothing else.
  public var merge = MergeOptions()
  /// Nothing is written; what would be done is counted.
  public var isDryRun = false
  /// How many of the rows left alone are listed for each table.
  public var sampleLimit = 20

  /// Arbitrary, and smaller than a merge's: rows are locked against references to them while a batch is on its way.
  public static let defaultBatchRows = 10_000

  /// The defaults of the contract.
  public init(runID: Int) {
    self.runID = runID
    merge.batchRows = Self.defaultBatchRows
  }
}
