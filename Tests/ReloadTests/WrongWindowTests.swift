import Foundation
import TestSupport
import Testing

/// The guide's own documents: what they would have merged, and what stops them.
@Suite struct WrongWindowTests {
  private static let guide = World.repository.appending(path: "Fixtures/dms/guide")
  private static let mappings = guide.appending(path: "oracle-pg-time-window-mapping.json").path
  private static let settings = guide.appending(path: "oracle-pg-task-settings.json").path

  @Test func theGuidesDocumentsAreRefusedWithEveryErrorInThem() async throws {
    try await World.with { world in
      let outcome = try await world.reload(["--mappings", Self.mappings, "--settings", Self.settings])
      #expect(outcome.status == 73, "\(outcome.transcript)")
      for code in ["window-joined-by-or", "unknown-rule-action", "missing-lower-case", "endpoint-settings-in-task"] {
        #expect(outcome.errors.contains(code), "\(code): \(outcome.transcript)")
      }
      #expect(try world.calls() == [])
    }
  }

  @Test func withoutTheLintTheGuidesUpperCaseTablesAreNoticedByTheRowCount() async throws {
    try await World.with { world in
      let before = try world.productionFingerprint()
      let outcome = try await world.reload([
        "--mappings", Self.mappings, "--settings", Self.settings, "--no-lint",
      ])
      #expect(outcome.status == 76, "\(outcome.transcript)")
      #expect(outcome.errors.contains("DMS loaded 120 rows and staging has 0"))
      #expect(outcome.errors.contains("DMS loaded 599 rows and staging has 0"))
      #expect(try world.productionFingerprint() == before)
    }
  }

  @Test func theGuidesWindowLoadsEverythingAndThatIsNoticed() async throws {
    try await World.with { world in
      let before = try world.productionFingerprint()
      let mappings = FileManager.default.temporaryDirectory.appending(path: "guide-\(UUID().uuidString).json")
      defer { try? FileManager.default.removeItem(at: mappings) }
      try Self.withLowerCase(mappings)
      let outcome = try await world.reload([
        "--mappings", mappings.path, "--settings", Self.settings, "--no-lint",
      ])
      #expect(outcome.status == 76, "\(outcome.transcript)")
      // 120 customers and 599 orders have a version at all; 75 and 373 of them lie in January.
      #expect(outcome.errors.contains("table staging.customers: 45 rows in staging lie outside the window"))
      #expect(outcome.errors.contains("table staging.orders: 226 rows in staging lie outside the window"))
      #expect(outcome.errors.contains("its filter does not filter"))
      #expect(try world.productionFingerprint() == before)
      #expect(try world.lastRun().status == "FAILED")
    }
  }

  /// The guide's mapping with the rules that bring its rows into the staging tables there are; its window as it is.
  private static func withLowerCase(_ file: URL) throws {
    let text = try Data(contentsOf: URL(filePath: mappings))
    var document = try JSONValue(data: text)
    for (id, target, column) in [("11", "table", ""), ("12", "column", #", "column-name": "%""#)] {
      // A rule with an action that DMS does not have does nothing; before it, since the lowest number counts.
      let rule = """
        {"rule-type": "transformation", "rule-id": "\(id)", "rule-name": "lower-\(target)", "rule-target": "\(target)",
         "rule-action": "convert-lowercase",
         "object-locator": {"schema-name": "SOURCE_SCHEMA", "table-name": "%"\(column)}}
        """
      document["rules"].elements.append(try JSONValue(text: rule))
    }
    try JSONEncoder().encode(document).write(to: file)
  }
}
