import DMS
import Libpq
import MergeEngine

/// What holds for every reload, new or gone on with.
public struct ReloadSetting: Sendable {
  /// The database that holds production and the admin schema.
  public var target: ConnectionTarget
  /// The one that holds staging, if it is another.
  public var stagingTarget: ConnectionTarget?
  /// How the merge is to be made; window, clean-up and annotations are the reload's own business.
  public var options: MergeOptions
  /// Truncate staging when everything is merged.
  public var cleansUp = false
  /// Leave the task in AWS when everything went well.
  public var keepsTask = false
  /// Between two questions to AWS. AWS's own waiters take 15 s.
  public var pollInterval = Duration.seconds(15)
  /// How long a task may take from being told to start until it runs.
  public var startLimit = Duration.seconds(1800)
  /// How long it may then load; nil for as long as it takes.
  public var loadLimit: Duration?

  /// Makes a setting with the defaults.
  public init(target: ConnectionTarget, options: MergeOptions) {
    self.target = target
    self.options = options
  }
}

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

/// What a reload has others do: blocking calls, each on a thread of its own.
public struct ReloadSteps: Sendable {
  /// Merges, and shows how far it is.
  public var merge: @Sendable (MergeOptions) throws -> RunReport
  /// Compares production with staging after a merge; nil while there is nothing that does.
  public var verify: (@Sendable (MergeOptions) throws -> Verification)?

  /// What a verification says.
  public struct Verification: Sendable {
    /// Whether something differs.
    public var differs: Bool
    /// What was compared, in a few words.
    public var summary: String

    /// Makes a result.
    public init(differs: Bool, summary: String) {
      self.differs = differs
      self.summary = summary
    }
  }

  /// Makes the steps.
  public init(merge: @escaping @Sendable (MergeOptions) throws -> RunReport) { self.merge = merge }
}

/// Where a task runs, and between which endpoints.
public struct TaskRoute: Sendable, Hashable {
  /// The source endpoint.
  public var sourceEndpointARN: String
  /// The target endpoint.
  public var targetEndpointARN: String
  /// The replication instance.
  public var replicationInstanceARN: String

  /// Makes a route.
  public init(sourceEndpointARN: String, targetEndpointARN: String, replicationInstanceARN: String) {
    self.sourceEndpointARN = sourceEndpointARN
    self.targetEndpointARN = targetEndpointARN
    self.replicationInstanceARN = replicationInstanceARN
  }
}

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
