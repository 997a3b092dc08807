/// What a task-settings document is made from: a full load into tables that exist, where nothing is skipped in silence.
public struct SettingsPlan: Hashable, Sendable {
  /// How many tables, or segments of tables, are loaded at once.
  public var maxFullLoadSubTasks = 8
  /// Rows a transfer.
  public var commitRate = 10_000
  /// Large objects.
  public var lobs = LobHandling.none
  /// Kilobytes of one CSV file; 0 for the endpoint's own value.
  public var loadMaxFileSizeKilobytes = 0
  /// How much the logs hold.
  public var logSeverity = LoggingSettings.Severity.standard
  /// DMS's own comparison after the load. Off: AWS does not say whether it honours filters, and `verify` compares anyway.
  public var validates = false
  /// Nothing is loaded, and what is there is compared.
  public var onlyValidates = false

  /// How large objects travel.
  public enum LobHandling: Hashable, Sendable, Codable {
    /// LOB columns are not loaded.
    case none
    /// In bulk, each cut off at that many kilobytes.
    case limited(kilobytes: Int)
    /// Whole, in pieces of that many kilobytes; those up to `inlineKilobytes` travel with their rows.
    case full(chunkKilobytes: Int, inlineKilobytes: Int)
  }

  /// The parts of DMS that work during a full load.
  private static let loadComponents = [
    "SOURCE_UNLOAD", "TARGET_LOAD", "TABLES_MANAGER", "TASK_MANAGER", "TRANSFORMATION",
  ]

  /// Failures after which validation stops, of the task and of each table: AWS's usual number for a task, ten times that for
  /// a table.
  private static let failureLimit = 10_000

  /// Makes a plan with AWS's usual sizes and without large objects.
  public init() {}

  /// The task settings of this plan.
  ///
  /// `TargetSchema` stays empty, since the mapping renames the schema and AWS does not say which of the two would win.
  /// `RecoverableErrorCount` is 0: a restart would load rows a second time into tables that DMS was told not to empty.
  ///
  /// - Throws: ``DocumentError/outOfRange(setting:value:allowed:)`` for a size that DMS does not take.
  public func settings() throws(DocumentError) -> TaskSettings {
    try check(maxFullLoadSubTasks, in: 1...49, "MaxFullLoadSubTasks")
    try check(commitRate, in: 1...50_000, "CommitRate")
    try check(loadMaxFileSizeKilobytes, in: 0...100_000, "LoadMaxFileSize")
    return TaskSettings(
      targetMetadata: try targetMetadata(),
      fullLoadSettings: FullLoadSettings(
        targetTablePrepMode: .doNothing,
        createPkAfterFullLoad: false,
        maxFullLoadSubTasks: maxFullLoadSubTasks,
        commitRate: commitRate
      ),
      logging: LoggingSettings(
        enableLogging: true,
        logComponents: (Self.loadComponents + (onlyValidates ? ["VALIDATOR", "VALIDATOR_EXT"] : [])).map {
          LoggingSettings.Component(id: $0, severity: logSeverity)
        }
      ),
      errorBehavior: ErrorBehavior(
        dataErrorPolicy: .stopTask,
        dataTruncationErrorPolicy: .stopTask,
        dataErrorEscalationPolicy: .stopTask,
        tableErrorPolicy: .stopTask,
        recoverableErrorCount: 0,
        failOnNoTablesCaptured: true
      ),
      validationSettings: ValidationSettings(
        enableValidation: validates || onlyValidates,
        validationOnly: onlyValidates ? true : nil,
        failureMaxCount: onlyValidates ? Self.failureLimit : nil,
        tableFailureMaxCount: onlyValidates ? Self.failureLimit : nil
      )
    )
  }

  private func targetMetadata() throws(DocumentError) -> TargetMetadata {
    var metadata = TargetMetadata(
      targetSchema: "",
      supportLobs: false,
      fullLobMode: false,
      lobChunkSize: 64,
      limitedSizeLobMode: false,
      lobMaxSize: 0,
      inlineLobMaxSize: 0,
      loadMaxFileSize: loadMaxFileSizeKilobytes
    )
    switch lobs {
    case .none: break
    case .limited(let kilobytes):
      try check(kilobytes, in: 1...102_400, "LobMaxSize")
      metadata.supportLobs = true
      metadata.limitedSizeLobMode = true
      metadata.lobMaxSize = kilobytes
    case .full(let chunkKilobytes, let inlineKilobytes):
      try check(chunkKilobytes, in: 1...102_400, "LobChunkSize")
      try check(inlineKilobytes, in: 0...102_400, "InlineLobMaxSize")
      metadata.supportLobs = true
      metadata.fullLobMode = true
      metadata.lobChunkSize = chunkKilobytes
      metadata.inlineLobMaxSize = inlineKilobytes
    }
    return metadata
  }

  private func check(_ value: Int, in allowed: ClosedRange<Int>, _ setting: String) throws(DocumentError) {
    guard allowed.contains(value) else { throw .outOfRange(setting: setting, value: value, allowed: allowed) }
  }
}
