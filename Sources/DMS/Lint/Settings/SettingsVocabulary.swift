import Spelling

/// The sections and keys of task settings, and what the keys may hold, as AWS documents them.
///
/// <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TaskSettings.html>. Where AWS documents no
/// bound, none is checked.
enum SettingsVocabulary {
  /// What a key may hold.
  enum Shape {
    case flag
    case integer(ClosedRange<Int>)
    case text
    case oneOf([String])
    case anything

    func fits(_ node: JSONNode) -> Bool {
      switch self {
      case .flag: node.bool != nil
      case .integer(let range): node.integer.map(range.contains) ?? false
      case .text: node.string != nil
      case .oneOf(let words): node.string.map(words.contains) ?? false
      case .anything: true
      }
    }

    var inWords: String {
      switch self {
      case .flag: "true or false, without quotes"
      case .integer(let range) where range.upperBound == .max: "a whole number from \(range.lowerBound), without quotes"
      case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound), without quotes"
      case .text: "a string"
      case .oneOf(let words): Spelling.list(words.map { "\"\($0)\"" })
      case .anything: "a value"
      }
    }
  }

  private static let count = Shape.integer(0...Int.max)
  private static let rowPolicies = Shape.oneOf(ErrorBehavior.RowPolicy.allCases.map(\.rawValue))
  private static let tablePolicies = Shape.oneOf(ErrorBehavior.TablePolicy.allCases.map(\.rawValue))

  /// Keys of each section. `nil` for sections whose content is not looked at.
  static let keysOfSection: [String: [String: Shape]?] = [
    "TargetMetadata": [
      "TargetSchema": .text, "SupportLobs": .flag, "FullLobMode": .flag, "LobChunkSize": .integer(0...102_400),
      "LimitedSizeLobMode": .flag, "LobMaxSize": .integer(0...102_400), "InlineLobMaxSize": .integer(0...102_400),
      "LoadMaxFileSize": .integer(0...100_000), "ParallelLoadThreads": count, "ParallelLoadBufferSize": count,
      "ParallelLoadQueuesPerThread": count, "ParallelApplyThreads": count, "ParallelApplyBufferSize": count,
      "ParallelApplyQueuesPerThread": count, "BatchApplyEnabled": .flag, "TaskRecoveryTableEnabled": .flag,
    ],
    "FullLoadSettings": [
      "TargetTablePrepMode": .oneOf(FullLoadSettings.TablePreparation.allCases.map(\.rawValue)),
      "CreatePkAfterFullLoad": .flag, "StopTaskCachedChangesApplied": .flag, "StopTaskCachedChangesNotApplied": .flag,
      "MaxFullLoadSubTasks": .integer(1...49), "TransactionConsistencyTimeout": count,
      "CommitRate": .integer(1...50_000),
    ],
    "Logging": [
      "EnableLogging": .flag, "EnableLogContext": .flag, "LogComponents": .anything, "CloudWatchLogGroup": .text,
      "CloudWatchLogStream": .text, "DeleteTaskLogs": .flag, "LogConfiguration": .anything,
    ],
    "ErrorBehavior": [
      "DataErrorPolicy": rowPolicies, "DataTruncationErrorPolicy": rowPolicies, "DataMaskingErrorPolicy": rowPolicies,
      "DataErrorEscalationPolicy": tablePolicies, "DataErrorEscalationCount": count, "TableErrorPolicy": tablePolicies,
      "TableErrorEscalationPolicy": .oneOf(["STOP_TASK"]), "TableErrorEscalationCount": count,
      "EventErrorPolicy": .oneOf(["IGNORE", "STOP_TASK"]), "RecoverableErrorCount": .integer(-1...Int.max),
      "RecoverableErrorInterval": count, "RecoverableErrorThrottling": .flag, "RecoverableErrorThrottlingMax": count,
      "RecoverableErrorStopRetryAfterThrottlingMax": .flag, "ApplyErrorDeletePolicy": .text,
      "ApplyErrorInsertPolicy": .text, "ApplyErrorUpdatePolicy": .text, "ApplyErrorEscalationPolicy": .text,
      "ApplyErrorEscalationCount": count, "ApplyErrorFailOnTruncationDdl": .flag, "FailOnNoTablesCaptured": .flag,
      "FailOnTransactionConsistencyBreached": .flag, "FullLoadIgnoreConflicts": .flag,
    ],
    "ValidationSettings": [
      "EnableValidation": .flag, "ValidationMode": .text, "ThreadCount": count, "PartitionSize": count,
      "FailureMaxCount": count, "TableFailureMaxCount": count, "SkipLobColumns": .flag, "ValidationOnly": .flag,
      "RecordFailureDelayInMinutes": count, "RecordFailureDelayLimitInMinutes": count,
      "RecordSuspendDelayInMinutes": count, "MaxKeyColumnSize": count, "HandleCollationDiff": .flag,
      "ValidationPartialLobSize": count, "ValidationQueryCdcDelaySeconds": count, "ValidationS3Mask": count,
      "ValidationS3Time": count,
    ],
    "ControlTablesSettings": [
      "ControlSchema": .text, "HistoryTimeslotInMinutes": count, "historyTimeslotInMinutes": count,
      "HistoryTableEnabled": .flag, "SuspendedTablesTableEnabled": .flag, "StatusTableEnabled": .flag,
      "FullLoadExceptionTableEnabled": .flag, "CommitPositionTableEnabled": .flag,
    ],
    "StreamBufferSettings": [
      "StreamBufferCount": count, "StreamBufferSizeInMB": count, "CtrlStreamBufferSizeInMB": count,
    ],
    "ChangeProcessingDdlHandlingPolicy": [
      "HandleSourceTableDropped": .flag, "HandleSourceTableTruncated": .flag, "HandleSourceTableAltered": .flag,
    ],
    "ChangeProcessingTuning": [
      "BatchApplyPreserveTransaction": .flag, "BatchApplyTimeoutMin": count, "BatchApplyTimeoutMax": count,
      "BatchApplyMemoryLimit": count, "BatchSplitSize": count, "MinTransactionSize": count, "CommitTimeout": count,
      "MemoryLimitTotal": count, "MemoryKeepTime": count, "StatementCacheSize": count, "RecoveryTimeout": .anything,
    ],
    "LoopbackPreventionSettings": ["EnableLoopbackPrevention": .flag, "SourceSchema": .text, "TargetSchema": .text],
    "BeforeImageSettings": ["EnableBeforeImage": .flag, "FieldName": .text, "ColumnFilter": .text],
    "CharacterSetSettings": ["CharacterReplacements": .anything, "CharacterSetSupport": .anything],
    "TTSettings": [
      "EnableTT": .flag, "FailTaskOnTTFailure": .flag, "TTRecordSettings": .anything, "TTS3Settings": .anything,
    ],
    "PostProcessingRules": nil,
    "FailTaskWhenCleanTaskResourceFailed": nil,
  ]

  /// The names of the sections, those that matter for a full load first.
  static let sectionNames: [String] = {
    let first = ["TargetMetadata", "FullLoadSettings", "Logging", "ErrorBehavior", "ValidationSettings"]
    return first + keysOfSection.keys.filter { !first.contains($0) }.sorted()
  }()

  static func isSection(_ name: String) -> Bool { keysOfSection.keys.contains(name) }

  /// Parameters of an endpoint, which stand in its own settings and not in a task's.
  static let endpointSections: Set<String> = [
    "OracleSettings", "PostgreSQLSettings", "MySQLSettings", "MicrosoftSQLServerSettings", "S3Settings",
    "KafkaSettings",
    "KinesisSettings", "RedshiftSettings", "MongoDbSettings", "DocDbSettings", "NeptuneSettings", "RedisSettings",
    "IBMDb2Settings", "SybaseSettings", "GcpMySQLSettings", "ElasticsearchSettings", "DynamoDbSettings",
  ]

  static let logComponents: [String] = [
    "FILE_FACTORY", "METADATA_MANAGER", "SORTER", "SOURCE_CAPTURE", "SOURCE_UNLOAD", "TABLES_MANAGER", "TARGET_APPLY",
    "TARGET_LOAD", "TASK_MANAGER", "TRANSFORMATION", "VALIDATOR", "VALIDATOR_EXT", "COMMON", "ADDONS", "DATA_STRUCTURE",
    "COMMUNICATION", "FILE_TRANSFER", "IO", "PERFORMANCE", "REST_SERVER",
  ]
}
