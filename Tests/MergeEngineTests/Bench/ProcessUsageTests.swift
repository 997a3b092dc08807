import Foundation
import Testing

@testable import Bench

/// What the client's memory is said to be.
@Suite struct ProcessUsageTests {
  @Test func `memory that was freed before is not in the peak`() throws {
    // Small pieces, which the allocator keeps, with the last one alive above them.
    var pieces = (0..<400_000).map { _ in Data(count: 1000) }
    let last = pieces.removeLast()
    let full = try #require(ProcessUsage.peakResidentBytes())
    pieces = []
    try #require(ProcessUsage.resetPeak())
    // Half of it, since other tests take memory meanwhile.
    #expect(try #require(ProcessUsage.peakResidentBytes()) < full - 200_000_000)
    #expect(last.count == 1000)
  }
}
