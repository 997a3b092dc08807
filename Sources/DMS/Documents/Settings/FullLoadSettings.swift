/// The section `FullLoadSettings` of task settings.
public struct FullLoadSettings: Codable, Hashable, Sendable {
  /// What happens to the target tables first.
  public var targetTablePrepMode: TablePreparation
  /// Whether primary keys are made only after the load; has no meaning for tables that exist.
  public var createPkAfterFullLoad: Bool
  /// How many tables, or segments of tables, are loaded at once: 1 to 49.
  public var maxFullLoadSubTasks: Int
  /// Rows a transfer: up to 50000.
  public var commitRate: Int

  /// What DMS does to a target table before it loads it.
  public enum TablePreparation: String, Codable, Sendable, CaseIterable {
    /// Nothing: the table keeps its columns, its storage parameters and its rows.
    case doNothing = "DO_NOTHING"
    /// The table is dropped and made again with DMS's own types.
    case dropAndCreate = "DROP_AND_CREATE"
    /// The table is emptied.
    case truncateBeforeLoad = "TRUNCATE_BEFORE_LOAD"
  }

  enum CodingKeys: String, CodingKey {
    case targetTablePrepMode = "TargetTablePrepMode"
    case createPkAfterFullLoad = "CreatePkAfterFullLoad"
    case maxFullLoadSubTasks = "MaxFullLoadSubTasks"
    case commitRate = "CommitRate"
  }
}
