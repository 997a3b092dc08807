import DMS

/// What a new reload is asked to do.
public struct ReloadRequest: Sendable {
  /// What is merged.
  public var window: TimeWindow
  /// How much more is loaded.
  public var padding = WindowPadding.none
  /// Where the task runs, and between which endpoints.
  public var route: TaskRoute
  /// Makes the documents of the task for these staging tables.
  public var documents: @Sendable (_ tables: [String]) throws -> TaskDocuments
  /// Empty staging first, whatever is in it.
  public var truncatesFirst = false
  /// Start the task although its documents have errors.
  public var ignoresLint = false

  /// Makes a request with the defaults.
  public init(
    window: TimeWindow,
    route: TaskRoute,
    documents: @escaping @Sendable (_ tables: [String]) throws -> TaskDocuments
  ) {
    self.window = window
    self.route = route
    self.documents = documents
  }
}
