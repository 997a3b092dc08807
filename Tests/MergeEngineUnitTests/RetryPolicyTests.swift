import Testing

@testable import MergeEngine

@Suite struct RetryPolicyTests {
  @Test(arguments: [0, 1, 2, 7, 8, 20, 21, 63, 64, 1_000, .max])
  func `a wait is at least 25 ms and at most 10 s, whatever the attempt`(attempt: Int) {
    for _ in 0..<200 {
      let seconds = RetryPolicy().waitSeconds(afterAttempt: attempt)
      #expect(seconds >= 0.025 && seconds <= 10)
    }
  }

  @Test func `waits double until they are 10 s, half of each left to chance`() {
    for attempt in 1...12 {
      let full = min(0.05 * Double(1 << attempt), 10)
      for _ in 0..<200 {
        let seconds = RetryPolicy().waitSeconds(afterAttempt: attempt)
        #expect(seconds >= full / 2 && seconds <= full)
      }
    }
  }

  @Test func `two workers do not wait the same`() {
    let waits = Set((0..<20).map { _ in RetryPolicy().waitSeconds(afterAttempt: 3) })
    #expect(waits.count > 1)
  }

  @Test(arguments: [(0, 60.0), (1, 5), (100, 5), (10_000, 60), (60_000, 360)])
  func `a batch has patience for six waits for a lock, and some seconds at least`(milliseconds: Int, seconds: Double) {
    #expect(RetryPolicy.patienceSeconds(lockTimeoutMilliseconds: milliseconds) == seconds)
  }
}
