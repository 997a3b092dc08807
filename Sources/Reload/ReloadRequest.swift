import DMS

/// What a new reload is asked to do.
package struct ReloadRequest: Sendable {
  /// What is loaded and merged.
  package enum Scope: Sendable, Hashable {
    /// Everything whose version is inside a window.
    case window(TimeWindow)
    /// Single rows.
    case rows(FailedRows)
  }

  /// What is merged.
  package var scope: Scope
  /// How much more than the window is loaded.
  package var padding = WindowPadding.none
  /// Where the task runs, and between which endpoints.
  package var route: TaskRoute
  /// Makes the documents of the task for these staging tables and the window; single rows have
  /// ``ReloadSteps/rowDocuments``.
  package var documents: @Sendable (_ tables: [String]) throws -> TaskDocuments
  /// Empty staging first, whatever is in it.
  package var truncatesFirst = false
  /// Start the task although its documents have errors.
  package var ignoresLint = false
  /// Have DMS compare Oracle and production in the window when all is merged.
  package var validates = false

  /// Makes a request for a window, with the defaults.
  package init(
    window: TimeWindow,
    route: TaskRoute,
    documents: @escaping @Sendable (_ tables: [String]) throws -> TaskDocuments
  ) {
    scope = .window(window)
    self.route = route
    self.documents = documents
  }

  /// Makes a request for single rows, with the defaults.
  package init(rows: FailedRows, route: TaskRoute) {
    scope = .rows(rows)
    self.route = route
    documents = { _ in throw DocumentError.noTables }
  }
}

/// Where a task runs, and between which endpoints.
package struct TaskRoute: Sendable, Hashable {
  /// The source endpoint.
  package var sourceEndpointARN: String
  /// The target endpoint.
  package var targetEndpointARN: String
  /// A replication instance, or what AWS provisions.
  package var runner: TaskRunner

  /// Makes a route.
  package init(sourceEndpointARN: String, targetEndpointARN: String, runner: TaskRunner) {
    self.sourceEndpointARN = sourceEndpointARN
    self.targetEndpointARN = targetEndpointARN
    self.runner = runner
  }
}

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
