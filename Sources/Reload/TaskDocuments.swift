/// The two documents of a task, and what they should load.
package struct TaskDocuments: Sendable {
  /// The table mappings.
  package var mappings: String
  /// The task settings.
  package var settings: String
  /// The source tables by the name that a merge knows them by: schema and name, in Oracle's spelling.
  package var sources: [String: (schema: String, table: String)]

  /// Makes documents.
  package init(mappings: String, settings: String, sources: [String: (schema: String, table: String)]) {
    self.mappings = mappings
    self.settings = settings
    self.sources = sources
  }
}
