import Testing

@testable import MergeEngine

@Suite struct RouteChoiceTests {
  private static func afterBatch(
    of plan: TablePlan,
    inserted: Int = 0,
    updated: Int = 0,
    isOneDatabase: Bool = true
  ) -> RouteChoice {
    var routes = RouteChoice(plan, isOneDatabase: isOneDatabase)
    routes.learn(insertedCount: inserted, updatedCount: updated, rowCount: 100)
    return routes
  }

  private static let wide = TablePlan.handMade(others: [UInt32](repeating: TypeOid.text, count: 58))
  private static let narrow = TablePlan.handMade(others: [TypeOid.text, TypeOid.numeric, TypeOid.timestamp])

  @Test func `the first batch is read whole`() {
    #expect(RouteChoice(Self.wide, isOneDatabase: true).next == .wholeRows)
  }

  @Test func `the more columns there are, the more rows may be written within the server`() {
    #expect(Self.afterBatch(of: Self.narrow, updated: 10).next == .withinServer)
    #expect(Self.afterBatch(of: Self.narrow, updated: 20).next == .wholeRows)
    #expect(Self.afterBatch(of: Self.narrow, inserted: 20).next == .wholeRows)
    #expect(Self.afterBatch(of: Self.wide, updated: 100).next == .withinServer)
    #expect(Self.afterBatch(of: Self.wide, inserted: 30, updated: 40).next == .withinServer)
    #expect(Self.afterBatch(of: Self.wide, inserted: 100).next == .wholeRows, "COPY is the cheapest way in")
    #expect(Self.afterBatch(of: .handMade(), updated: 1).next == .wholeRows, "there is nothing but key and version")
  }

  @Test func `from another database rows are always read whole`() {
    #expect(Self.afterBatch(of: Self.wide, updated: 10, isOneDatabase: false).next == .wholeRows)
  }

  @Test func `the last batch decides, and one without rows says nothing`() {
    var routes = Self.afterBatch(of: Self.narrow)
    routes.learn(insertedCount: 0, updatedCount: 0, rowCount: 0)
    #expect(routes.next == .withinServer)
    routes.learn(insertedCount: 50, updatedCount: 50, rowCount: 100)
    #expect(routes.next == .wholeRows)
  }

  @Test func `what could fail to be read is read whole`() {
    #expect(Self.afterBatch(of: .handMade(others: [TypeOid.text], casts: true)).next == .wholeRows)
  }

  @Test func `a closed route is not taken any more`() {
    var routes = Self.afterBatch(of: Self.wide)
    routes.close(.withinServer)
    #expect(routes.next == .wholeRows)
  }
}
