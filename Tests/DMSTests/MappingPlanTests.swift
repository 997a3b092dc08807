import DMS
import Foundation
import Testing

@Suite struct MappingPlanTests {
  private static func window() throws -> TimeWindow {
    return try TimeWindow(from: SourceTime("2025-01-01"), to: SourceTime("2025-02-01"))
  }

  static func plans() throws -> [(name: String, plan: MappingPlan)] {
    let window = try window()
    let two = [PlannedTable(name: "customers"), PlannedTable(name: "orders")]
    var padded = MappingPlan(sourceSchema: "source_schema", tables: two, window: window)
    padded.windowForm = .twoFilters
    padded.padding = try WindowPadding("1h")
    let renamed = MappingPlan(
      sourceSchema: "SHOP",
      tables: [
        PlannedTable(name: "CUST", targetName: "customers"),
        PlannedTable(name: "orders"),
        PlannedTable(name: "\"Invoices\"", schema: "BILLING", versionColumn: "CHANGED_ON"),
      ],
      window: window
    )
    let loads = MappingPlan(
      sourceSchema: "SHOP",
      tables: [
        PlannedTable(name: "orders", loadOrder: 2, parallelLoad: .partitionsAuto),
        PlannedTable(
          name: "order_items",
          loadOrder: 1,
          parallelLoad: .ranges(columns: ["order_id", "line"], boundaries: [["1000", "1"], ["2000", "1"]])
        ),
        PlannedTable(name: "notes", lobSettings: .limited(kilobytes: 512)),
        PlannedTable(name: "scans", parallelLoad: .subpartitionsAuto, lobSettings: .unlimited),
      ],
      window: window
    )
    return [
      ("window-between", MappingPlan(sourceSchema: "source_schema", tables: two, window: window)),
      ("window-two-filters-padded", padded), ("renamed-tables", renamed), ("parallel-load-and-lobs", loads),
    ]
  }

  @Test func generatedMappingsAreTheGoldenFiles() throws {
    for (name, plan) in try Self.plans() {
      let document = try plan.mappings().document()
      #expect(document == (try Fixture.expected("generated/\(name).json", insteadOf: document)))
    }
  }

  @Test func generatedMappingsHaveNoErrorsAndTheirWarningsStandBesideThem() throws {
    for (name, plan) in try Self.plans() {
      let report = DocumentLint.lint(try plan.mappings().document())
      #expect(report.kind == .mappings)
      #expect(!report.hasErrors, "\(name): \(report.summary)")
      #expect(report.summary == (try Fixture.expected("generated/\(name).expected.txt", insteadOf: report.summary)))
    }
  }

  @Test func generatedMappingsComeBackFromTheirText() throws {
    for (_, plan) in try Self.plans() {
      let mappings = try plan.mappings()
      #expect(try JSONDecoder().decode(TableMappings.self, from: Data(mappings.document().utf8)) == mappings)
    }
  }

  @Test func theWindowOfTheReferenceIsWrittenInItsTwoForms() throws {
    let between = try Self.plans()[0].plan.mappings()
    guard case .selection(let rule) = between.rules[0] else {
      Issue.record("the first rule is no selection")
      return
    }
    #expect(rule.objectLocator == ObjectLocator(schemaName: "SOURCE_SCHEMA", tableName: "CUSTOMERS"))
    #expect(rule.filters.count == 1)
    #expect(rule.filters[0].columnName == "UPDATED_AT")
    #expect(rule.filters[0].conditions.map(\.startValue) == ["2025-01-01 00:00:00"])
    #expect(rule.filters[0].conditions.map(\.endValue) == ["2025-02-01 00:00:00"])
    guard case .selection(let padded) = try Self.plans()[1].plan.mappings().rules[0] else {
      Issue.record("the first rule is no selection")
      return
    }
    #expect(padded.filters.flatMap(\.conditions).map(\.value) == ["2024-12-31 23:00:00", "2025-02-01 01:00:00"])
    #expect(padded.filters.allSatisfy { $0.conditions.count == 1 })
  }

  @Test func twoTablesForOneTargetAreRefused() throws {
    let tables = [PlannedTable(name: "orders"), PlannedTable(name: "orders", schema: "archive")]
    let plan = MappingPlan(sourceSchema: "shop", tables: tables, window: try Self.window())
    #expect(
      throws: DocumentError.twoTablesForOneTarget(
        target: "staging.orders",
        first: "SHOP.ORDERS",
        second: "ARCHIVE.ORDERS"
      )
    ) {
      try plan.mappings()
    }
  }

  @Test(arguments: ["", "ORD%", "ORD[AB]", "\"\"", "A\"B"])
  func namesThatAreWildcardsOrEmptyAreRefused(_ name: String) throws {
    let plan = MappingPlan(sourceSchema: "shop", tables: [PlannedTable(name: name)], window: try Self.window())
    #expect(throws: DocumentError.self) { try plan.mappings() }
  }

  @Test func aPlanWithoutTablesIsRefused() throws {
    let plan = MappingPlan(sourceSchema: "shop", tables: [], window: try Self.window())
    #expect(throws: DocumentError.noTables) { try plan.mappings() }
  }

  @Test func rangesThatDoNotFitTheirColumnsAreRefused() throws {
    let loads: [ParallelLoad] = [
      .ranges(columns: [], boundaries: [["1"]]), .ranges(columns: ["ID"], boundaries: []),
      .ranges(columns: ["A", "B"], boundaries: [["1", "2"], ["3"]]),
      .ranges(columns: (0...10).map { "C\($0)" }, boundaries: [["1"]]),
    ]
    for load in loads {
      let table = PlannedTable(name: "orders", parallelLoad: load)
      let plan = MappingPlan(sourceSchema: "shop", tables: [table], window: try Self.window())
      #expect(throws: DocumentError.self) { try plan.mappings() }
    }
  }
}
