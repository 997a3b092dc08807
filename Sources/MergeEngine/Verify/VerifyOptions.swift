/// What a verification is asked to do; the names are those of the command line and of the configuration file.
public struct VerifyOptions: Sendable {
  /// Tables, schemas, columns, null rule, window, workers and batches; the rest has no meaning here.
  public var merge = MergeOptions()
  /// With `none` all rows are compared, and not only those that are merged.
  public var mark: MergeOptions.Mark?
  /// Differences are looked at again after so long before they count: CDC may be in flight.
  public var recheckAfterSeconds = 5.0
  /// Rows to show of each kind of difference, and keys of each column.
  public var sampleLimit = 5
  /// What becomes of production rows inside the window that staging lacks.
  public var extra = ExtraRule.report
  /// Extra rows are deleted only if no more than this share of production's rows inside the window are extra.
  public var maxExtraPercent = 1.0

  /// The defaults of the contract.
  public init() {}

  /// What becomes of production rows inside the window that staging lacks.
  public enum ExtraRule: String, Sendable, Codable, CaseIterable {
    /// They are told.
    case report
    /// They are deleted, if they are few.
    case delete
  }
}
