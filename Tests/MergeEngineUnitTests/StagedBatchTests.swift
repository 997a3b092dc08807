import BinaryCopy
import TestSupport
import Testing

@testable import MergeEngine

@Suite struct StagedBatchTests {
  @Test func `every row is found with its address, its fields and its version`() throws {
    let plan = TablePlan.handMade(others: [TypeOid.text])
    var first = HandMadeRow(7, version: 100)
    first.others = [bytes("a")]
    first.block = 70_000
    first.offset = 12
    var second = HandMadeRow(8, version: nil)
    second.others = [nil]
    let batch = try StagedBatch.handMade([first, second], plan)
    #expect(batch.rows.map(\.address) == [70_000 << 16 | 12, 1])
    #expect(
      Array(batch.bytes[batch.rows[0].fields]) == bytes(Int32(8)) + bytes(Int64(7)) + bytes(Int32(8))
        + bytes(Int64(100)) + bytes(Int32(1)) + bytes("a")
    )
    #expect(batch.rows[0].probeKey == batch.rows[0].fields.lowerBound)
    #expect(try batch.compareVersions(0, 1, plan.versionType) > 0)
  }

  @Test func `probe keys stand before the fields that are written`() throws {
    let plan = TablePlan.handMade(sendsProbeKeys: true)
    var row = HandMadeRow(7, version: 100)
    row.probeKey = [bytes("seven")]
    let batch = try StagedBatch.handMade([row], plan)
    var cursor = CopyCursor(offset: batch.rows[0].probeKey)
    #expect(Array(batch.bytes[try cursor.readField(in: batch.bytes.rawSpan).bytes]) == bytes("seven"))
    #expect(cursor.offset == batch.rows[0].fields.lowerBound)
    #expect(try batch.key(0) == bytes(Int64(7)))
  }

  @Test func `streams behind each other are one batch`() throws {
    let plan = TablePlan.handMade()
    var batch = StagedBatch()
    for key in 1...3 { batch.bytes += stream([HandMadeRow(Int64(key), version: 0).fields]) }
    batch.bytes += stream([])
    try batch.index(plan)
    #expect(try batch.rows.indices.map { try batch.key(UInt32($0)) } == (1...3).map { bytes(Int64($0)) })
  }

  @Test func `no bytes are no rows`() throws {
    var batch = StagedBatch()
    try batch.index(.handMade())
    #expect(batch.rows.isEmpty)
  }

  @Test func `emptied it keeps its memory, and gives it up only above the limit`() throws {
    var batch = try StagedBatch.handMade((0..<1_000).map { HandMadeRow($0, version: 0) }, .handMade())
    let capacity = batch.bytes.capacity
    batch.removeAll()
    #expect(batch.rows.isEmpty && batch.candidates.isEmpty && batch.bytes.isEmpty)
    batch.shrink(above: capacity)
    #expect(batch.bytes.capacity == capacity)
    batch.shrink(above: capacity - 1)
    #expect(batch.bytes.capacity == 0)
  }

  @Test func `a row with another number of fields is an error`() {
    let plan = TablePlan.handMade()
    let tooMany = HandMadeRow(1, version: 1).fields + [nil]
    #expect(throws: BinaryCopyError.fieldCount(found: 4, expected: 3, offset: 21)) { try Self.index([tooMany], plan) }
    #expect(throws: BinaryCopyError.self) { try Self.index([Array(tooMany[..<2])], plan) }
    #expect(throws: BinaryCopyError.self) { try Self.index([[]], plan) }
  }

  @Test(arguments: [nil, [], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7]] as [[UInt8]?])
  func `an address is six bytes`(address: [UInt8]?) {
    let fields = [address, bytes(Int64(1)), bytes(Int64(1))]
    #expect(throws: BinaryCopyError.wrongWidth(found: address?.count ?? -1, expected: 6, offset: 25)) {
      try Self.index([fields], .handMade())
    }
  }

  @Test func `a version of another width is an error`() {
    let fields = [[0, 0, 0, 0, 0, 1], bytes(Int64(1)), bytes(Int32(1))]
    #expect(throws: BinaryCopyError.self) { try Self.index([fields], .handMade()) }
  }

  @Test func `cut or changed bytes end in rows or in an error`() throws {
    let plan = TablePlan.handMade(key: [TypeOid.text], others: [TypeOid.text])
    let valid = try StagedBatch.handMade(
      (0..<3).map { HandMadeRow(key: [bytes("key \($0)")], version: bytes(Int64($0)), others: [nil]) },
      plan
    ).bytes
    var generator = SeededGenerator.forTest("staged batches")
    for _ in 0..<10_000 {
      var batch = StagedBatch()
      batch.bytes = valid
      for _ in 0...generator.below(3) { batch.bytes[generator.below(valid.count)] = UInt8(generator.below(256)) }
      if generator.below(2) == 0 { batch.bytes.removeLast(generator.below(valid.count)) }
      guard (try? batch.index(plan)) != nil else { continue }
      var order = KeyOrder()
      _ = try? order.arrange(&batch, plan)
    }
  }

  private static func index(_ rows: [[[UInt8]?]], _ plan: TablePlan) throws {
    var batch = StagedBatch()
    batch.bytes = stream(rows)
    try batch.index(plan)
  }
}
