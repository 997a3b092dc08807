/// The two documents of a task, and what they should load.
public struct TaskDocuments: Sendable {
  /// The table mappings.
  public var mappings: String
  /// The task settings.
  public var settings: String
  /// The source tables by staging table: schema and name, in Oracle's spelling.
  public var sources: [String: (schema: String, table: String)]

  /// Makes documents.
  public init(mappings: String, settings: String, sources: [String: (schema: String, table: String)]) {
    self.mappings = mappings
    self.settings = settings
    self.sources = sources
  }
}
