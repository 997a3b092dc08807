import Spelling

/// Sections and keys that task settings don't have, and values that they don't take.
enum SectionRules {
  static func check(_ root: Cursor, _ found: inout FindingList) {
    for (name, value, key) in root.members {
      if SettingsVocabulary.endpointSections.contains(name) {
        checkEndpointSection(name, value, key: key, into: &found)
        continue
      }
      guard let keys = SettingsVocabulary.keysOfSection[name] else {
        unknownSection(name, key, into: &found)
        continue
      }
      guard let keys, !value.node.isNull else { continue }
      guard value.node.members != nil else {
        let kind = value.node.kindInWords
        found.add(
          .wrongShape,
          at: value,
          "the section \"\(name)\" must be an object, but this is \(kind)",
          advice: "write {…}"
        )
        continue
      }
      checkKeys(of: value, in: name, allowed: keys, &found)
    }
  }

  private static func unknownSection(_ name: String, _ key: Cursor, into found: inout FindingList) {
    let sections = SettingsVocabulary.sectionNames
    if let meant = Spelling.closest(to: name, in: sections) {
      found.add(.unknownSection, at: key, "task settings have no section \"\(name)\"", advice: "write \"\(meant)\"")
      return
    }
    let owner = sections.first { SettingsVocabulary.keysOfSection[$0]??[name] != nil }
    found.add(
      .unknownSection,
      at: key,
      "task settings have no section \"\(name)\"; the service rejects it with \"Invalid task settings JSON\" or drops it",
      advice: owner.map { "move it into the section \"\($0)\"" }
        ?? "remove it, or use one of \(Spelling.list(sections.prefix(5)))"
    )
  }

  private static func checkEndpointSection(_ name: String, _ value: Cursor, key: Cursor, into found: inout FindingList)
  {
    let option = name == "OracleSettings" ? "--oracle-settings" : "its own option"
    found.add(
      .endpointSettingsInTaskSettings,
      at: key,
      "\"\(name)\" belongs to an endpoint, not to a task: nothing in it has an effect here",
      advice: "remove it, and pass what you need to `aws dms modify-endpoint` with \(option)"
    )
    guard name == "OracleSettings" else { return }
    for (name, value, key) in value.members {
      guard OracleEndpointVocabulary.keys.contains(name) else {
        let meant = Spelling.closest(to: name, in: OracleEndpointVocabulary.keys.sorted())
        found.add(
          .misspeltEndpointSetting,
          at: key,
          "the endpoint would reject \"\(name)\", too: the API has no such key",
          advice: meant.map { "write \"\($0)\"" } ?? "look the name up with `aws dms create-endpoint help`"
        )
        continue
      }
      if !value.node.isNull, let fault = OracleEndpointVocabulary.fault(of: name, value.node) {
        found.add(
          .misspeltEndpointSetting,
          at: value,
          "the endpoint would reject this value of \"\(name)\", too: \(fault)",
          advice: "write a value of that kind"
        )
      }
    }
  }

  private static func checkKeys(
    of section: Cursor,
    in sectionName: String,
    allowed: [String: SettingsVocabulary.Shape],
    _ found: inout FindingList
  ) {
    for (name, value, key) in section.members {
      guard let shape = allowed[name] else {
        _ = UnknownKey.report(name, at: key, allowed: allowed.keys.sorted(), &found)
        continue
      }
      guard !value.node.isNull, !shape.fits(value.node) else { continue }
      found.add(
        .badSettingValue,
        at: value,
        "\(sectionName).\(name) must be \(shape.inWords), but this is \(written(value.node))",
        advice: "write \(shape.inWords)"
      )
    }
  }

  private static func written(_ node: JSONNode) -> String {
    switch node.value {
    case .string, .number, .bool: JSONWriter(isIndented: false).text(node)
    default: node.kindInWords
    }
  }
}
