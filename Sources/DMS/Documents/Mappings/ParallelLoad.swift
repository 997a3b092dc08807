/// The `parallel-load` of a table-settings rule: one table read in several segments at once.
public struct ParallelLoad: Codable, Hashable, Sendable {
  /// `type`.
  public var type: Kind
  /// `columns`, in upper case, for `ranges`: at most ten, none of them a LOB or a floating-point number.
  public var columns: [String]?
  /// `boundaries`, for `ranges`: the upper bound of each segment, ascending; an open last segment is added by DMS.
  public var boundaries: [[String]]?

  /// How the segments are cut.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// One segment a partition.
    case partitionsAuto = "partitions-auto"
    /// One segment a subpartition.
    case subpartitionsAuto = "subpartitions-auto"
    /// The partitions that are listed.
    case partitionsList = "partitions-list"
    /// Ranges of column values.
    case ranges
    /// No segments.
    case none
  }

  /// One segment a partition, which Oracle's catalog knows.
  public static let partitionsAuto = ParallelLoad(type: .partitionsAuto)

  /// One segment a subpartition, which Oracle's catalog knows.
  public static let subpartitionsAuto = ParallelLoad(type: .subpartitionsAuto)

  /// Segments by ranges of values. Rows with NULL in one of the columns are not loaded.
  public static func ranges(columns: [String], boundaries: [[String]]) -> ParallelLoad {
    ParallelLoad(type: .ranges, columns: columns, boundaries: boundaries)
  }
}
