/// What a repair is asked to do; the names are those of the command line and of the configuration file.
public struct RepairOptions: Sendable {
  /// The file that `verify --output` has written.
  public var path: String
  /// Schemas, tables, column rules and time zone; of the limits workers, batch and the times.
  public var merge = MergeOptions()
  /// The kinds of differences to repair.
  public var kinds = Self.defaultKinds
  /// Extra rows are deleted only if they are at most this share of production's rows inside the window.
  public var maxExtraPercent = 1.0
  /// Nothing is written; what would be done is counted.
  public var isDryRun = false
  /// How many of the rows left alone are listed for each table.
  public var sampleLimit = 20

  /// Rows are deleted only on request.
  public static let defaultKinds: [DifferenceKind] = [.missing, .outdated, .differing]
  /// What can be asked for.
  public static let possibleKinds = defaultKinds + [.extra]
  /// Arbitrary, and smaller than a merge's: a row that is refused has its batch tried again in halves.
  public static let defaultBatchRows = 1000

  /// The defaults of the contract.
  public init(path: String) {
    self.path = path
    merge.batchRows = Self.defaultBatchRows
  }
}
