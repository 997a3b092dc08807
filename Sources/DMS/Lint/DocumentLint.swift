import Spelling

/// Looks through mapping and settings documents that somebody else wrote.
///
/// Nothing here needs a connection: what is known about the target tables is handed in. No input makes it crash; what is
/// not JSON, or not of the right shape, is a finding with a place.
public enum DocumentLint {
  /// Everything there is to say about one document.
  ///
  /// - Parameters:
  ///   - bytes: the file as it is.
  ///   - schema: the target tables, where they are known; findings about unknown tables and about types need them.
  ///   - isServerless: the document is one of a serverless replication.
  public static func lint(_ bytes: [UInt8], schema: KnownSchema? = nil, isServerless: Bool = false) -> LintReport {
    do {
      return lint(root: Cursor(root: try JSONParser.parse(bytes)), schema: schema, isServerless)
    } catch {
      let place = Cursor(root: JSONNode(.null, position: error.position))
      var found = FindingList()
      found.add(
        .notJSON,
        at: place,
        "this is not JSON: \(error.message)",
        advice:
          "correct the file here; DMS reads strict JSON, without comments and without trailing commas"
      )
      return LintReport(kind: .unknown, findings: found.sorted)
    }
  }

  /// Everything there is to say about one document, given as text.
  public static func lint(_ text: String, schema: KnownSchema? = nil, isServerless: Bool = false) -> LintReport {
    lint(Array(text.utf8), schema: schema, isServerless: isServerless)
  }

  private static func lint(root: Cursor, schema: KnownSchema?, _ isServerless: Bool) -> LintReport {
    var found = FindingList()
    checkRepeatedKeys(root, &found)
    switch kind(of: root) {
    case .mappings:
      checkMappings(root, schema: schema, &found)
      if isServerless { ServerlessRules.checkMappings(MappingView(root), &found) }
      return LintReport(kind: .mappings, findings: found.sorted)
    case .settings:
      checkSettings(root, schema, &found)
      return LintReport(kind: .settings, findings: found.sorted)
    case .replicationConfig:
      ServerlessRules.check(root, &found)
      for name in ["TableMappings", "ReplicationSettings"] {
        if let document = root[name] { found.add(inner(document, schema), at: document) }
      }
      return LintReport(kind: .replicationConfig, findings: found.sorted)
    case .unknown:
      found.add(
        .unknownDocument,
        at: root,
        "this is neither a table-mapping document (an object with \"rules\"), nor a task-settings document, whose "
          + "sections are \(Spelling.list(SettingsVocabulary.sectionNames.prefix(3))) and others, nor the request for a replication "
          + "config",
        advice: "give the file that goes into --table-mappings or --replication-task-settings"
      )
      return LintReport(kind: .unknown, findings: found.sorted)
    }
  }

  /// A document that stands in a request, as the text that the API takes, or unfolded as a dry run shows it.
  private static func inner(_ document: Cursor, _ schema: KnownSchema?) -> LintReport {
    guard document.node.members == nil else {
      return lint(JSONWriter().text(document.node), schema: schema, isServerless: true)
    }
    return lint(document.node.string ?? "", schema: schema, isServerless: true)
  }

  private static func kind(of root: Cursor) -> LintReport.Kind {
    guard root.node.members != nil else { return .unknown }
    if root.node["ComputeConfig"] != nil || root.node["ReplicationConfigIdentifier"] != nil {
      return .replicationConfig
    }
    if root.node["rules"] != nil { return .mappings }
    let isSettings = root.members.contains { member in
      SettingsVocabulary.isSection(member.name) || SettingsVocabulary.endpointSections.contains(member.name)
        || Spelling.closest(to: member.name, in: SettingsVocabulary.sectionNames) != nil
    }
    if isSettings { return .settings }
    return root.members.contains { Spelling.closest(to: $0.name, in: ["rules"]) != nil } ? .mappings : .unknown
  }

  private static func checkMappings(_ root: Cursor, schema: KnownSchema?, _ found: inout FindingList) {
    let document = MappingView(root)
    MappingShapeRules.check(document, &found)
    IdentityRules.check(document, &found)
    NameRules.check(document, schema, into: &found)
    SelectionRules.check(document, &found)
    FilterRules.check(document, schema, into: &found)
    WindowRules.check(document, &found)
    TransformationRules.check(document, &found)
    ConflictRules.check(document, &found)
    TargetNameRules.check(document, schema, into: &found)
    TypeRules.check(document, schema, into: &found)
    TableSettingsRules.check(document, &found)
  }

  private static func checkSettings(_ root: Cursor, _ schema: KnownSchema?, _ found: inout FindingList) {
    SectionRules.check(root, &found)
    LobRules.check(root, &found)
    ErrorPolicyRules.check(root, &found)
    LoadRules.check(root, &found)
    ValidationRules.check(root, schema, &found)
  }

  /// A name that occurs twice in one object: readers of JSON disagree about which one counts.
  private static func checkRepeatedKeys(_ cursor: Cursor, _ found: inout FindingList) {
    var seen: Set<String> = []
    for (name, value, key) in cursor.members {
      if !seen.insert(name).inserted {
        found.add(
          .duplicateKey,
          at: key,
          "\"\(name)\" appears twice in the same object, and it is not defined which of the two counts",
          advice: "keep one of them"
        )
      }
      checkRepeatedKeys(value, &found)
    }
    for element in cursor.elements { checkRepeatedKeys(element, &found) }
  }
}
