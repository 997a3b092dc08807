import DMS
import Testing

/// No input makes the lint crash, and whatever it is, it is answered with findings that have a place.
@Suite struct LintRobustnessTests {
  private static let documents = [
    "guide/oracle-pg-time-window-mapping.json", "guide/oracle-pg-task-settings.json",
    "generated/parallel-load-and-lobs.json", "generated/settings-full-lobs.json",
  ]

  @Test(arguments: documents)
  func aFileThatEndsTooEarlyIsNotJSONWhereverItEnds(_ name: String) throws {
    let bytes = try Fixture.bytes(name)
    for length in stride(from: 0, to: bytes.count - 3, by: 7) {
      let report = DocumentLint.lint(Array(bytes.prefix(length)))
      #expect(report.findings.map(\.code) == [.notJSON])
      #expect(report.findings.allSatisfy { $0.line > 0 && $0.column > 0 })
    }
  }

  @Test(arguments: documents)
  func valuesOfEveryWrongKindAreFindingsAndNoCrash(_ name: String) throws {
    let node = try JSONParser.parse(try Fixture.bytes(name))
    let replacements: [JSONNode.Value] = [
      .null, .bool(true), .number("-1"), .number("99999999999999999999"), .string(""), .string("%"), .string("[_%"),
      .array([]), .array([JSONNode(.null)]), .object([]),
    ]
    let count = Self.count(node)
    for index in 0..<count {
      for replacement in replacements {
        let changed = Self.replacing(node, at: index, with: replacement)
        let report = DocumentLint.lint(JSONWriter().text(changed))
        #expect(report.findings.allSatisfy { $0.line > 0 && $0.path.hasPrefix("$") })
      }
    }
  }

  @Test(arguments: [
    "", "null", "1", "\"rules\"", "[]", "{}", "{\"rules\": null}", "{\"rules\": {}}", "{\"rules\": []}",
    "{\"rules\": [[]]}",
  ])
  func aDocumentOfNoShapeIsAnError(_ text: String) {
    let report = DocumentLint.lint(text)
    #expect(report.hasErrors)
  }

  @Test func manyOverlappingRulesAreLookedThroughInReasonableTime() {
    let pattern = String(repeating: "%A_", count: 30)
    let rule = { (id: Int) in
      """
      {"rule-type": "transformation", "rule-id": "\(id)", "rule-name": "r\(id)", "rule-target": "table",
       "rule-action": "rename", "value": "x", "object-locator": {"schema-name": "S", "table-name": "\(pattern)"}}
      """
    }
    let text = "{\"rules\": [\((1...60).map(rule).joined(separator: ",\n"))]}"
    let start = ContinuousClock.now
    #expect(DocumentLint.lint(text).findings.contains { $0.code == .severalActionsOnOneObject })
    #expect(start.duration(to: .now) < .seconds(60))
  }

  private static func count(_ node: JSONNode) -> Int {
    let children = node.elements ?? (node.members ?? []).map(\.node)
    return 1 + children.reduce(0) { $0 + count($1) }
  }

  /// The node with its n-th descendant, itself being number 0, replaced.
  private static func replacing(_ node: JSONNode, at index: Int, with value: JSONNode.Value) -> JSONNode {
    guard index > 0 else { return JSONNode(value) }
    var remaining = index - 1
    func changed(_ child: JSONNode) -> JSONNode {
      let size = count(child)
      defer { remaining -= size }
      return (0..<size).contains(remaining) ? replacing(child, at: remaining, with: value) : child
    }
    switch node.value {
    case .array(let elements): return JSONNode(.array(elements.map(changed)))
    case .object(let members):
      return JSONNode(.object(members.map { JSONNode.Member(name: $0.name, node: changed($0.node)) }))
    default: return node
    }
  }
}
