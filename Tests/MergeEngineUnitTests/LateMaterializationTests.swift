import Testing

@testable import MergeEngine

@Suite struct LateMaterializationTests {
  private static func afterBatch(of plan: TablePlan, written: Int) -> LateMaterialization {
    var late = LateMaterialization(plan)
    late.learn(writtenCount: written, rowCount: 100)
    return late
  }

  private static let wide = TablePlan.handMade(others: [UInt32](repeating: TypeOid.text, count: 58))
  private static let narrow = TablePlan.handMade(others: [TypeOid.text, TypeOid.numeric, TypeOid.timestamp])

  @Test func `the first batch is read whole`() {
    #expect(!LateMaterialization(Self.wide).isWorthwhile)
  }

  @Test func `the more columns there are, the more rows may be written`() {
    #expect(Self.afterBatch(of: Self.narrow, written: 10).isWorthwhile)
    #expect(!Self.afterBatch(of: Self.narrow, written: 20).isWorthwhile)
    #expect(Self.afterBatch(of: Self.wide, written: 70).isWorthwhile)
    #expect(!Self.afterBatch(of: Self.wide, written: 80).isWorthwhile)
    #expect(!Self.afterBatch(of: .handMade(), written: 0).isWorthwhile, "there is nothing but key and version")
  }

  @Test func `the last batch decides, and one without rows says nothing`() {
    var late = Self.afterBatch(of: Self.narrow, written: 0)
    late.learn(writtenCount: 0, rowCount: 0)
    #expect(late.isWorthwhile)
    late.learn(writtenCount: 100, rowCount: 100)
    #expect(!late.isWorthwhile)
  }

  @Test func `what others could change in between, or what could fail to be read, is read whole`() {
    var unmarked = Self.wide
    unmarked.marksRows = false
    #expect(!Self.afterBatch(of: unmarked, written: 0).isWorthwhile)
    #expect(!Self.afterBatch(of: .handMade(others: [TypeOid.text], casts: true), written: 0).isWorthwhile)
    var late = Self.afterBatch(of: Self.wide, written: 0)
    late.giveUp()
    #expect(!late.isWorthwhile)
  }
}
