/// The counters of a replication task.
public struct TaskStatistics: Codable, Hashable, Sendable {
  /// An estimate from the source's statistics; 100 does not mean that all is well.
  public var fullLoadProgressPercent: Int?
  /// How long it ran, in milliseconds.
  public var elapsedTimeMilliseconds: Int?
  /// Tables that are done.
  public var tablesLoaded: Int?
  /// Tables that are being loaded.
  public var tablesLoading: Int?
  /// Tables that wait.
  public var tablesQueued: Int?
  /// Tables with errors; the model words it "number of errors".
  public var tablesErrored: Int?
  /// The last fresh start or reload.
  public var freshStartDate: AWSTimestamp?
  /// The last start of any kind.
  public var startDate: AWSTimestamp?
  /// When it stopped.
  public var stopDate: AWSTimestamp?
  /// When the full load began.
  public var fullLoadStartDate: AWSTimestamp?
  /// When the full load ended.
  public var fullLoadFinishDate: AWSTimestamp?

  enum CodingKeys: String, CodingKey {
    case fullLoadProgressPercent = "FullLoadProgressPercent"
    case elapsedTimeMilliseconds = "ElapsedTimeMillis"
    case tablesLoaded = "TablesLoaded"
    case tablesLoading = "TablesLoading"
    case tablesQueued = "TablesQueued"
    case tablesErrored = "TablesErrored"
    case freshStartDate = "FreshStartDate"
    case startDate = "StartDate"
    case stopDate = "StopDate"
    case fullLoadStartDate = "FullLoadStartDate"
    case fullLoadFinishDate = "FullLoadFinishDate"
  }

  /// Makes counters that say nothing yet.
  public init() {}
}
