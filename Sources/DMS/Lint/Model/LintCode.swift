/// The lint's rules by their stable names: scripts may rely on them.
public enum LintCode: String, Codable, Sendable, CaseIterable {
  // Any document
  /// The text is not JSON.
  case notJSON = "not-json"
  /// The document is neither mappings nor settings.
  case unknownDocument = "unknown-document"
  /// A key stands twice in one object.
  case duplicateKey = "duplicate-key"
  /// A value is of another kind than it must be.
  case wrongShape = "wrong-shape"
  /// A key that does not exist and is close to one that does.
  case misspeltKey = "misspelt-key"
  /// A key that is not documented.
  case unknownKey = "unknown-key"
  /// A key that DMS needs is not there.
  case missingKey = "missing-key"

  // Mappings: rules
  /// A rule type that does not exist.
  case unknownRuleType = "unknown-rule-type"
  /// A rule id that is no whole number.
  case badRuleID = "bad-rule-id"
  /// A rule id that another rule has.
  case duplicateRuleID = "duplicate-rule-id"
  /// A rule name that another rule has.
  case duplicateRuleName = "duplicate-rule-name"
  /// An action that does not exist, `convert-column-type` for one.
  case unknownRuleAction = "unknown-rule-action"
  /// A rule target that does not exist.
  case unknownRuleTarget = "unknown-rule-target"
  /// An action on a kind of object that it does not act on.
  case actionNotForTarget = "action-not-for-target"
  /// An action without what it needs.
  case missingValue = "missing-value"
  /// A source name in lower case.
  case nameNotUpperCase = "name-not-upper-case"
  /// A source name in mixed case, which only quoted names have.
  case nameInMixedCase = "name-in-mixed-case"
  /// A source name of more than 30 bytes.
  case nameTooLong = "name-too-long"
  /// A `_` that meets other names too.
  case underscoreIsWildcard = "underscore-is-wildcard"

  // Mappings: selections and filters
  /// No table is included.
  case noSelection = "no-selection"
  /// Two rules include one table.
  case tableSelectedTwice = "table-selected-twice"
  /// A table without a filter among others with one.
  case unfilteredSelection = "unfiltered-selection"
  /// A filter on tables that are not named exactly.
  case wildcardInFilteredSelection = "wildcard-in-filtered-selection"
  /// A filter in a rule that does not include.
  case filterWithoutInclude = "filter-without-include"
  /// An operator that does not exist.
  case unknownFilterOperator = "unknown-filter-operator"
  /// An operator without its value, or a filter without a condition.
  case missingFilterValue = "missing-filter-value"
  /// A negative condition beside another one in the same filter.
  case severalNegativeConditions = "several-negative-conditions"
  /// A filter on a large object.
  case filterOnLOB = "filter-on-lob"
  /// A lower and an upper bound in one filter: true for every row.
  case windowJoinedByOr = "window-joined-by-or"
  /// A window that ends before it starts.
  case emptyWindow = "empty-window"
  /// A date in a form that is not documented, or that does not exist.
  case badDate = "bad-date"
  /// A window that leaves out its last second's fraction, or its last day.
  case windowEndsEarly = "window-ends-early"
  /// A filter on a column that updates change.
  case mutableFilterColumn = "mutable-filter-column"

  // Mappings: names and types on the target
  /// Two actions on one object, of which one does nothing.
  case severalActionsOnOneObject = "several-actions-on-one-object"
  /// A rename and a change of case on one object.
  case renameAndLowerCase = "rename-and-lower-case"
  /// Table or column names stay in upper case.
  case missingLowerCase = "missing-lower-case"
  /// The schema keeps its source name.
  case schemaNotRenamed = "schema-not-renamed"
  /// Two tables would be loaded into one.
  case twoTablesOneTarget = "two-tables-one-target"
  /// A transformation of a column whose name holds # \ / or -.
  case specialCharacterInColumn = "special-character-in-column"
  /// A data type that DMS does not have.
  case unknownDataType = "unknown-data-type"
  /// A change of type although the table has its own.
  case needlessDataType = "needless-data-type"
  /// A number that can lose digits or overflow.
  case numberPrecision = "number-precision"
  /// A time that can lose decimals, its time of day or its zone.
  case timestampPrecision = "timestamp-precision"
  /// A source type that arrives as NULL.
  case unsupportedSourceType = "unsupported-source-type"
  /// A target table that does not exist.
  case unknownTable = "unknown-table"
  /// A target column that does not exist.
  case unknownColumn = "unknown-column"

  // Mappings: table settings
  /// Table settings for tables that are not named exactly.
  case wildcardInTableSettings = "wildcard-in-table-settings"
  /// Table settings for a table that is not loaded.
  case settingsForUnselectedTable = "settings-for-unselected-table"
  /// A parallel load of a type that does not exist.
  case unknownParallelLoad = "unknown-parallel-load"
  /// Ranges without columns or boundaries, or with uneven ones.
  case badRanges = "bad-ranges"
  /// Ranges leave out rows with NULL.
  case rangesSkipNull = "ranges-skip-null"
  /// A parallel load of a filtered table.
  case parallelLoadWithFilter = "parallel-load-with-filter"
  /// A LOB mode that does not exist.
  case unknownLOBMode = "unknown-lob-mode"

  // Both
  /// Large objects are cut off.
  case lobTruncation = "lob-truncation"

  // Settings
  /// A section that task settings don't have.
  case unknownSection = "unknown-section"
  /// Settings of an endpoint among those of a task.
  case endpointSettingsInTaskSettings = "endpoint-settings-in-task-settings"
  /// A key or value in them that the endpoint too would refuse.
  case misspeltEndpointSetting = "misspelt-endpoint-setting"
  /// A value that a setting does not take.
  case badSettingValue = "bad-setting-value"
  /// Staging tables are dropped or emptied, or nothing is said about them.
  case targetTablePreparation = "target-table-preparation"
  /// Rows or tables can be left out while the task ends well.
  case silentErrorPolicy = "silent-error-policy"
  /// A restart loads rows again into tables that are not emptied.
  case restartsOnItsOwn = "restarts-on-its-own"
  /// Large objects without a mode.
  case lobsWithoutMode = "lobs-without-mode"
  /// Both modes for large objects.
  case twoLOBModes = "two-lob-modes"
  /// A mode for large objects without its size.
  case lobSizeMissing = "lob-size-missing"
  /// A mode for large objects that are not loaded.
  case lobsNotLoaded = "lobs-not-loaded"
  /// A log group that only the service may set.
  case cloudWatchSetOnCreate = "cloudwatch-set-on-create"
  /// No log.
  case loggingOff = "logging-off"
  /// A log context without a log.
  case logContextWithoutLogging = "log-context-without-logging"
  /// A setting that does nothing in a full load.
  case settingWithoutEffect = "setting-without-effect"
  /// Validation together with filters.
  case validationWithFilter = "validation-with-filter"
  /// A task that only validates, but switches validation off.
  case validationOnlyWithoutValidation = "validation-only-without-validation"
  /// A task that only validates, but empties or drops the tables.
  case validationOnlyPreparation = "validation-only-preparation"
  /// Validation stops after some failures, and nobody has said after how many.
  case validationFailureLimit = "validation-failure-limit"
  /// Validation together with characters that are replaced.
  case validationWithCharacterSubstitution = "validation-with-character-substitution"
  /// A key that validation does not compare.
  case validationKey = "validation-key"
  /// A key that is sorted otherwise on the other side.
  case validationCollation = "validation-collation"

  // DMS Serverless
  /// Capacity that AWS does not have, or that contradicts itself.
  case badCapacity = "bad-capacity"
  /// A view, which is not loaded.
  case viewInServerless = "view-in-serverless"

  /// How bad a finding of this rule is.
  public var grade: Grade {
    switch self {
    case .unknownKey, .nameInMixedCase, .nameTooLong, .tableSelectedTwice, .unfilteredSelection, .windowEndsEarly,
      .mutableFilterColumn,
      .numberPrecision, .timestampPrecision, .unsupportedSourceType, .settingsForUnselectedTable, .rangesSkipNull,
      .lobTruncation, .targetTablePreparation, .silentErrorPolicy, .restartsOnItsOwn, .lobsNotLoaded, .loggingOff,
      .validationFailureLimit, .validationWithCharacterSubstitution, .validationKey, .validationCollation:
      .warning
    case .schemaNotRenamed, .needlessDataType, .parallelLoadWithFilter, .settingWithoutEffect, .validationWithFilter:
      .note
    default: .error
    }
  }
}
