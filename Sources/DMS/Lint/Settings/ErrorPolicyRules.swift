/// Policies under which a task that lost rows still ends as if all were well.
enum ErrorPolicyRules {
  /// A policy, the value that DMS takes when it is not written, what happens then, and the value that stops.
  private struct Policy {
    let key: String
    let standard: String
    let effect: String
    let silent: Set<String>
  }

  private static let policies = [
    Policy(
      key: "DataErrorPolicy",
      standard: "LOG_ERROR",
      effect: "rows that cannot be converted or loaded are left out",
      silent: ["IGNORE_RECORD", "LOG_ERROR", "SUSPEND_TABLE"]
    ),
    Policy(
      key: "DataTruncationErrorPolicy",
      standard: "LOG_ERROR",
      effect: "rows with a value too long for its column are left out",
      silent: ["IGNORE_RECORD", "LOG_ERROR", "SUSPEND_TABLE"]
    ),
    Policy(
      key: "TableErrorPolicy",
      standard: "SUSPEND_TABLE",
      effect: "a table that fails is left half loaded while the others continue",
      silent: ["SUSPEND_TABLE"]
    ),
  ]

  static func check(_ root: Cursor, _ found: inout FindingList) {
    let section = root["ErrorBehavior"]
    for policy in policies {
      let written = section?[policy.key]
      let value = written?.node.string ?? policy.standard
      guard policy.silent.contains(value) else { continue }
      let origin =
        written == nil ? "\(policy.key) is not set, and its default is \(value)" : "\(policy.key) is \(value)"
      let effect =
        value == "SUSPEND_TABLE" && policy.standard == "LOG_ERROR" ? "the table is left half loaded" : policy.effect
      found.add(
        .silentErrorPolicy,
        at: written ?? section ?? root,
        "\(origin): \(effect), and the task still ends as if everything had gone well",
        advice: "write \"\(policy.key)\": \"STOP_TASK\" in \"ErrorBehavior\""
      )
    }
    checkNoTables(root, section, into: &found)
    checkRestarts(root, section, into: &found)
  }

  private static func checkNoTables(_ root: Cursor, _ section: Cursor?, into found: inout FindingList) {
    let written = section?["FailOnNoTablesCaptured"]
    guard written?.node.bool != true else { return }
    let origin =
      written == nil
      ? "FailOnNoTablesCaptured is not set, and its default has changed over time" : "FailOnNoTablesCaptured is false"
    found.add(
      .silentErrorPolicy,
      at: written ?? section ?? root,
      "\(origin): a mapping that matches no table then loads nothing and ends successfully",
      advice: "write \"FailOnNoTablesCaptured\": true in \"ErrorBehavior\""
    )
  }

  /// With DO_NOTHING a restart loads rows again that are already there.
  private static func checkRestarts(_ root: Cursor, _ section: Cursor?, into found: inout FindingList) {
    guard let place = section?["RecoverableErrorCount"], let count = place.node.integer, count != 0,
      root["FullLoadSettings"]?["TargetTablePrepMode"]?.node.string == "DO_NOTHING"
    else { return }
    found.add(
      .restartsOnItsOwn,
      at: place,
      "RecoverableErrorCount is \(count): a task that restarts by itself loads rows again into tables that DO_NOTHING has not "
        + "emptied, which ends in key violations or duplicate rows",
      advice: "write \"RecoverableErrorCount\": 0, and run the reload again instead"
    )
  }
}
