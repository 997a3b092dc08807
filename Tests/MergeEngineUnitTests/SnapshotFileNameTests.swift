import Testing

@testable import MergeEngine

/// What the files of a snapshot are called.
@Suite struct SnapshotFileNameTests {
  @Test func `names are told apart, and none is longer than file systems take`() {
    let long = String(repeating: "Ä", count: 31)
    let names = ["a", "b"].map { SnapshotDirectory.fileName(of: long + $0, in: long) }
    #expect(Set(names).count == 2)
    #expect(names.allSatisfy { $0.utf8.count <= 255 && $0.hasSuffix(".pgcopy") && SnapshotDirectory.isFileName($0) })
    #expect(SnapshotDirectory.fileName(of: "Orders", in: "shop") == "shop.%4Frders.pgcopy")
  }
}
