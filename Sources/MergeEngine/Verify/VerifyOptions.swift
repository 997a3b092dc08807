/// What a verification is asked to do; the names are those of the command line and of the configuration file.
public struct VerifyOptions: Sendable {
  /// Tables, schemas, columns, null rule, window, workers and batches; the rest has no meaning here.
  public var merge = MergeOptions()
  /// With `none` all rows are compared, not only those that are merged.
  public var mark: MergeOptions.Mark?
  /// How long to wait before a difference is checked again and counts: CDC may be in flight.
  public var recheckAfterSeconds = 5.0
  /// Rows to show of each kind of difference, and keys of each column.
  public var sampleLimit = 5
  /// A file that gets every difference; nil for none.
  public var outputPath: String?
  /// Whether that file also gets the values of the columns that differ.
  public var writesValues = true

  /// The defaults of the contract.
  public init() {}
}
