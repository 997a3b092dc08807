import DMS

/// What a new reload is asked to do.
public struct ReloadRequest: Sendable {
  /// What is loaded and merged.
  public enum Scope: Sendable, Hashable {
    /// Everything whose version is inside a window.
    case window(TimeWindow)
    /// Single rows.
    case rows(FailedRows)
  }

  /// What is merged.
  public var scope: Scope
  /// How much more than the window is loaded.
  public var padding = WindowPadding.none
  /// Where the task runs, and between which endpoints.
  public var route: TaskRoute
  /// Makes the documents of the task for these staging tables and the window; single rows have
  /// ``ReloadSteps/rowDocuments``.
  public var documents: @Sendable (_ tables: [String]) throws -> TaskDocuments
  /// Empty staging first, whatever is in it.
  public var truncatesFirst = false
  /// Start the task although its documents have errors.
  public var ignoresLint = false
  /// Have DMS compare Oracle and production in the window when all is merged.
  public var validates = false

  /// Makes a request for a window, with the defaults.
  public init(
    window: TimeWindow,
    route: TaskRoute,
    documents: @escaping @Sendable (_ tables: [String]) throws -> TaskDocuments
  ) {
    scope = .window(window)
    self.route = route
    self.documents = documents
  }

  /// Makes a request for single rows, with the defaults.
  public init(rows: FailedRows, route: TaskRoute) {
    scope = .rows(rows)
    self.route = route
    documents = { _ in throw DocumentError.noTables }
  }
}
