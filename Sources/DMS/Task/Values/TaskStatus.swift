/// The `Status` of a replication task. Words that this version does not know stay as they are.
public struct TaskStatus: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
  /// The service's word.
  public let rawValue: String

  /// Takes the service's word.
  public init(rawValue: String) { self.rawValue = rawValue }

  /// Being made.
  public static let creating = TaskStatus(rawValue: "creating")
  /// Made, and never started.
  public static let ready = TaskStatus(rawValue: "ready")
  /// Connecting.
  public static let starting = TaskStatus(rawValue: "starting")
  /// Loading.
  public static let running = TaskStatus(rawValue: "running")
  /// Being stopped.
  public static let stopping = TaskStatus(rawValue: "stopping")
  /// At an end: finished, stopped by somebody, or with errors that don't show here.
  public static let stopped = TaskStatus(rawValue: "stopped")
  /// Given up.
  public static let failed = TaskStatus(rawValue: "failed")
  /// Being changed.
  public static let modifying = TaskStatus(rawValue: "modifying")
  /// On its way to another instance.
  public static let moving = TaskStatus(rawValue: "moving")
  /// Not moved.
  public static let failedMove = TaskStatus(rawValue: "failed-move")
  /// Being assessed.
  public static let testing = TaskStatus(rawValue: "testing")
  /// Being deleted.
  public static let deleting = TaskStatus(rawValue: "deleting")

  // DMS Serverless has these besides.
  /// Made, and never started.
  public static let created = TaskStatus(rawValue: "created")

  /// What a serverless replication goes through from being started until it runs.
  private static let provisioning: Set<String> = [
    "initializing", "preparing_metadata_resources", "testing_connection", "fetching_metadata", "calculating_capacity",
    "provisioning_capacity", "replication_starting",
  ]

  /// Whether the task can be started for the first time.
  public var isStartable: Bool { self == .ready || self == .created }

  /// Whether a task that was told to start has not begun to load yet.
  public var isBeforeLoad: Bool {
    [.creating, .ready, .created, .starting, .modifying, .testing].contains(self)
      || Self.provisioning.contains(rawValue)
  }

  /// Whether the task will not change any more by itself.
  public var isAtAnEnd: Bool { self == .stopped || self == .failed || self == .failedMove || self == .deleting }

  /// The service's word.
  public var description: String { rawValue }
}
