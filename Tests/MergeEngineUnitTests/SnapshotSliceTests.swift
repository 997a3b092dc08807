import Testing

@testable import MergeEngine

/// What is still to be done of a file, and in halves.
@Suite struct SnapshotSliceTests {
  private static let pieces = stride(from: 0, to: 30, by: 10).map {
    SnapshotFile.Piece(rows: $0..<($0 + 10), bytes: ($0 * 8)..<($0 * 8 + 80))
  }

  @Test(
    arguments: [
      ([], [[0..<10], [10..<20], [20..<30]]),
      ([0..<30], []),
      ([0..<10], [[10..<20], [20..<30]]),
      ([5..<25], [[0..<5], [25..<30]]),
      ([2..<3, 5..<6], [[0..<2, 3..<5, 6..<10], [10..<20], [20..<30]]),
      ([9..<11, 19..<30], [[0..<9], [11..<19]]),
      ([0..<1, 29..<30], [[1..<10], [10..<20], [20..<29]]),
    ] as [([Range<Int>], [[Range<Int>]])]
  )
  func `what is done is left out, and nothing else`(done: [Range<Int>], expected: [[Range<Int>]]) {
    #expect(SnapshotSlice.remaining(of: Self.pieces, done: done).map(\.rows) == expected)
  }

  @Test func `halving comes down to single rows, each of them once`() {
    let slice = SnapshotSlice(piece: Self.pieces[0], rows: [0..<3, 5..<6, 8..<10])
    var open = [slice]
    var single: [Int] = []
    while let next = open.popLast() {
      if let (lower, upper) = next.halves {
        #expect(lower.rowCount + upper.rowCount == next.rowCount)
        open += [upper, lower]
      } else {
        #expect(next.rowCount == 1)
        single += next.rows.flatMap { $0 }
      }
    }
    #expect(single == [0, 1, 2, 5, 8, 9])
  }
}
