import Spelling

/// Target tables, logging, and settings that do nothing in a full load.
enum LoadRules {
  /// Settings that act only while changes are applied.
  private static let onlyForChanges: [String: [String]] = [
    "FullLoadSettings": [
      "StopTaskCachedChangesApplied", "StopTaskCachedChangesNotApplied", "TransactionConsistencyTimeout",
    ],
    "TargetMetadata": [
      "BatchApplyEnabled", "ParallelApplyThreads", "ParallelApplyBufferSize", "ParallelApplyQueuesPerThread",
    ],
  ]

  static func check(_ root: Cursor, _ found: inout FindingList) {
    checkPreparation(root, &found)
    checkLogging(root, &found)
    checkValidation(root, &found)
    for (section, keys) in onlyForChanges.sorted(by: { $0.key < $1.key }) {
      for key in keys {
        // Switched off it says nothing that would not be so anyway.
        guard let place = root[section]?[key], place.node.bool != false, place.node.integer != 0 else { continue }
        found.add(
          .settingWithoutEffect,
          at: place,
          "\(key) has no effect in a full-load-only task",
          advice: "leave it out, or leave it as it is"
        )
      }
    }
  }

  private static func checkPreparation(_ root: Cursor, _ found: inout FindingList) {
    let section = root["FullLoadSettings"]
    let place = section?["TargetTablePrepMode"]
    let effect: String? =
      switch place?.node.string {
      case "DROP_AND_CREATE":
        "DROP_AND_CREATE drops the staging tables with their status column, storage parameters, grants and keys, and creates "
          + "tables with DMS's own types"
      case "TRUNCATE_BEFORE_LOAD":
        "TRUNCATE_BEFORE_LOAD empties the staging tables, including rows that are not merged yet, and creates tables that are "
          + "missing with DMS's own types"
      case nil where place == nil:
        "TargetTablePrepMode is not set, so it depends on the service whether the staging tables are dropped"
      default: nil
      }
    guard let effect else { return }
    found.add(
      .targetTablePreparation,
      at: place ?? section ?? root,
      effect,
      advice:
        "write \"TargetTablePrepMode\": \"DO_NOTHING\" in \"FullLoadSettings\", and empty the tables before the load"
    )
  }

  private static func checkLogging(_ root: Cursor, _ found: inout FindingList) {
    let section = root["Logging"]
    for key in ["CloudWatchLogGroup", "CloudWatchLogStream"] {
      guard let place = section?[key] else { continue }
      found.add(
        .cloudWatchSetOnCreate,
        at: place,
        "the service fills in \(key) itself and rejects a task that sets it: \"cannot be set on create\"",
        advice: "remove it; the log group is dms-tasks- followed by the name of the replication instance"
      )
    }
    let isOn = section?["EnableLogging"]?.node.bool == true
    if !isOn {
      found.add(
        .loggingOff,
        at: section?["EnableLogging"] ?? section ?? root,
        "logging is off, so there will be no record of why a table failed or which rows were left out",
        advice: "write \"EnableLogging\": true in \"Logging\""
      )
    }
    if !isOn, let place = section?["EnableLogContext"], place.node.bool == true {
      found.add(
        .logContextWithoutLogging,
        at: place,
        "EnableLogContext works only with EnableLogging",
        advice: "write \"EnableLogging\": true, or remove it"
      )
    }
    for component in section?["LogComponents"]?.elements ?? [] { checkComponent(component, &found) }
  }

  private static func checkComponent(_ component: Cursor, _ found: inout FindingList) {
    let severities = LoggingSettings.Severity.allCases.map(\.rawValue)
    for (key, known) in [("Id", SettingsVocabulary.logComponents), ("Severity", severities)] {
      guard let place = component[key], let text = place.text, !known.contains(text) else { continue }
      let meant = Spelling.closest(to: text, in: known).map { "write \"\($0)\"" }
      found.add(
        .badSettingValue,
        at: place,
        "DMS knows no log \(key) \"\(text)\"",
        advice: meant ?? "use \(Spelling.list(known))"
      )
    }
  }

  private static func checkValidation(_ root: Cursor, _ found: inout FindingList) {
    guard let section = root["ValidationSettings"], let place = section["EnableValidation"], place.node.bool == true
    else {
      return
    }
    found.add(
      .validationWithFilter,
      at: place,
      "AWS does not say whether validation honours the filters of a mapping, and it compares while other writers change the "
        + "target",
      advice: "switch it off and compare after the merge, or try it on one table first"
    )
  }
}
