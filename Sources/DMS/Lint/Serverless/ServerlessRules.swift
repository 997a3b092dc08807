import Spelling

/// What is different where there is no replication instance: the request of `CreateReplicationConfig`, and what a serverless
/// replication can't do.
///
/// <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Serverless.Limitations.html>.
enum ServerlessRules {
  /// The members of the request, and the ones that it needs.
  static let keys = [
    "ReplicationConfigIdentifier", "SourceEndpointArn", "TargetEndpointArn", "ComputeConfig", "ReplicationType",
    "TableMappings", "ReplicationSettings", "SupplementalSettings", "ResourceIdentifier", "Tags",
  ]
  private static let neededKeys = keys.prefix(6)
  private static let types = ["full-load", "cdc", "full-load-and-cdc"]

  /// Looks through a request; its two documents are looked through as if they stood alone.
  static func check(_ root: Cursor, _ found: inout FindingList) {
    for (name, _, key) in root.members where !keys.contains(name) {
      _ = UnknownKey.report(name, at: key, allowed: keys, &found)
    }
    for name in neededKeys where root[name] == nil {
      found.add(
        .missingKey,
        at: root,
        "a replication config needs \"\(name)\"",
        advice: "add it; `aws dms create-replication-config --generate-cli-skeleton input` prints the form"
      )
    }
    if let type = root["ReplicationType"], !types.contains(type.text ?? "") {
      found.add(
        .badSettingValue,
        at: type,
        "ReplicationType must be \(Spelling.list(types)), but it is \"\(type.text ?? type.node.kindInWords)\"",
        advice: "write \"full-load\" for a window"
      )
    }
    if let compute = root["ComputeConfig"] { checkCompute(compute, &found) }
  }

  /// A serverless replication has no views.
  static func checkMappings(_ document: MappingView, _ found: inout FindingList) {
    for rule in document.selections {
      guard let type = rule.locator?["table-type"], let text = type.text, text != "table" else { continue }
      found.add(
        .viewInServerless,
        at: type,
        "\"\(text)\" selects views, and DMS Serverless does not load views",
        advice: "write \"table\", or load the view on a replication instance"
      )
    }
  }

  private static func checkCompute(_ compute: Cursor, _ found: inout FindingList) {
    let known = ComputeConfig.CodingKeys.allCases.map(\.rawValue)
    guard compute.node.members != nil else {
      found.add(
        .wrongShape,
        at: compute,
        "ComputeConfig must be an object, but it is \(compute.node.kindInWords)",
        advice: "write {\"MaxCapacityUnits\": 16}"
      )
      return
    }
    for (name, _, key) in compute.members where !known.contains(name) {
      _ = UnknownKey.report(name, at: key, allowed: known, &found)
    }
    let units = Spelling.list(ComputeConfig.capacityUnits.map(String.init))
    for name in ["MaxCapacityUnits", "MinCapacityUnits"] {
      guard let place = compute[name] else { continue }
      guard place.node.integer.map(ComputeConfig.capacityUnits.contains) != true else { continue }
      found.add(.badCapacity, at: place, "\(name) must be one of AWS's numbers of units", advice: "write \(units)")
    }
    guard let most = compute["MaxCapacityUnits"] else {
      found.add(
        .missingKey,
        at: compute,
        "ComputeConfig needs \"MaxCapacityUnits\": the most that AWS may provision",
        advice: "write \(units); a unit is 2 GB of memory"
      )
      return
    }
    if let fewest = compute["MinCapacityUnits"], let low = fewest.node.integer, let high = most.node.integer, low > high
    {
      found.add(
        .badCapacity,
        at: fewest,
        "MinCapacityUnits is \(low), more than MaxCapacityUnits, \(high)",
        advice: "write a number that is not greater"
      )
    }
    if let zone = compute["AvailabilityZone"], compute["MultiAZ"]?.node.bool == true {
      found.add(
        .badCapacity,
        at: zone,
        "one availability zone is named, but MultiAZ asks for several",
        advice: "remove one of the two"
      )
    }
  }
}
