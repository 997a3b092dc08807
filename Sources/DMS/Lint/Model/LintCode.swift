/// The lint's rules by their stable names: scripts may rely on them.
public enum LintCode: String, Codable, Sendable, CaseIterable {
  // Any document
  case notJSON = "not-json"
  case unknownDocument = "unknown-document"
  case duplicateKey = "duplicate-key"
  case wrongShape = "wrong-shape"
  case misspeltKey = "misspelt-key"
  case unknownKey = "unknown-key"
  case missingKey = "missing-key"

  // Mappings: rules
  case unknownRuleType = "unknown-rule-type"
  case badRuleID = "bad-rule-id"
  case duplicateRuleID = "duplicate-rule-id"
  case duplicateRuleName = "duplicate-rule-name"
  case unknownRuleAction = "unknown-rule-action"
  case unknownRuleTarget = "unknown-rule-target"
  case actionNotForTarget = "action-not-for-target"
  case missingValue = "missing-value"
  case nameNotUpperCase = "name-not-upper-case"
  case nameInMixedCase = "name-in-mixed-case"
  case nameTooLong = "name-too-long"
  case underscoreIsWildcard = "underscore-is-wildcard"

  // Mappings: selections and filters
  case noSelection = "no-selection"
  case tableSelectedTwice = "table-selected-twice"
  case unfilteredSelection = "unfiltered-selection"
  case wildcardInFilteredSelection = "wildcard-in-filtered-selection"
  case filterWithoutInclude = "filter-without-include"
  case unknownFilterOperator = "unknown-filter-operator"
  case missingFilterValue = "missing-filter-value"
  case severalNegativeConditions = "several-negative-conditions"
  case filterOnLOB = "filter-on-lob"
  case windowJoinedByOr = "window-joined-by-or"
  case emptyWindow = "empty-window"
  case badDate = "bad-date"
  case windowEndsEarly = "window-ends-early"
  case mutableFilterColumn = "mutable-filter-column"

  // Mappings: names and types on the target
  case severalActionsOnOneObject = "several-actions-on-one-object"
  case renameAndLowerCase = "rename-and-lower-case"
  case missingLowerCase = "missing-lower-case"
  case schemaNotRenamed = "schema-not-renamed"
  case twoTablesOneTarget = "two-tables-one-target"
  case specialCharacterInColumn = "special-character-in-column"
  case unknownDataType = "unknown-data-type"
  case needlessDataType = "needless-data-type"
  case numberPrecision = "number-precision"
  case timestampPrecision = "timestamp-precision"
  case unsupportedSourceType = "unsupported-source-type"
  case unknownTable = "unknown-table"
  case unknownColumn = "unknown-column"

  // Mappings: table settings
  case wildcardInTableSettings = "wildcard-in-table-settings"
  case settingsForUnselectedTable = "settings-for-unselected-table"
  case unknownParallelLoad = "unknown-parallel-load"
  case badRanges = "bad-ranges"
  case rangesSkipNull = "ranges-skip-null"
  case parallelLoadWithFilter = "parallel-load-with-filter"
  case unknownLOBMode = "unknown-lob-mode"

  // Both
  case lobTruncation = "lob-truncation"

  // Settings
  case unknownSection = "unknown-section"
  case endpointSettingsInTaskSettings = "endpoint-settings-in-task-settings"
  case misspeltEndpointSetting = "misspelt-endpoint-setting"
  case badSettingValue = "bad-setting-value"
  case targetTablePreparation = "target-table-preparation"
  case silentErrorPolicy = "silent-error-policy"
  case restartsOnItsOwn = "restarts-on-its-own"
  case lobsWithoutMode = "lobs-without-mode"
  case twoLOBModes = "two-lob-modes"
  case lobSizeMissing = "lob-size-missing"
  case lobsNotLoaded = "lobs-not-loaded"
  case cloudWatchSetOnCreate = "cloudwatch-set-on-create"
  case loggingOff = "logging-off"
  case logContextWithoutLogging = "log-context-without-logging"
  case settingWithoutEffect = "setting-without-effect"
  case validationWithFilter = "validation-with-filter"

  /// How bad a finding of this rule is.
  public var grade: Grade {
    switch self {
    case .unknownKey, .nameInMixedCase, .nameTooLong, .tableSelectedTwice, .unfilteredSelection, .windowEndsEarly,
      .mutableFilterColumn,
      .numberPrecision, .timestampPrecision, .unsupportedSourceType, .settingsForUnselectedTable, .rangesSkipNull,
      .lobTruncation, .targetTablePreparation, .silentErrorPolicy, .restartsOnItsOwn, .lobsNotLoaded, .loggingOff:
      .warning
    case .schemaNotRenamed, .needlessDataType, .parallelLoadWithFilter, .settingWithoutEffect, .validationWithFilter:
      .note
    default: .error
    }
  }
}
