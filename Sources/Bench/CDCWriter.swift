import Foundation
import Libpq
import Synchronization

/// Writes rows of production one by one, as CDC does beside a merge, and sees how long each write had to wait.
final class CDCWriter: Sendable {
  private struct State {
    var isOver = false
    var longestWait = Duration.zero
    var failure: PostgresError?
  }

  private let state = Mutex(State())
  private let hasEnded = DispatchSemaphore(value: 0)

  /// How long it rests after each write: some hundred a second leave the processors to the contender.
  private static let restSeconds = 0.005

  /// Begins to write, on a connection of its own.
  init(_ sql: WorkloadSQL, rowCount: Int, _ target: ConnectionTarget) {
    Thread.detachNewThread { [self] in
      do throws(PostgresError) {
        try write(sql, rowCount: rowCount, target)
      } catch {
        state.withLock { $0.failure = error }
      }
      hasEnded.signal()
    }
  }

  /// Ends it.
  ///
  /// - Returns: how long the slowest write took, in seconds.
  func end() throws(PostgresError) -> Double {
    state.withLock { $0.isOver = true }
    hasEnded.wait()
    let (longestWait, failure) = state.withLock { ($0.longestWait, $0.failure) }
    if let failure { throw failure }
    return longestWait / .seconds(1)
  }

  private func write(_ sql: WorkloadSQL, rowCount: Int, _ target: ConnectionTarget) throws(PostgresError) {
    let connection = try ScratchDatabases.connect(to: target)
    while !state.withLock({ $0.isOver }) {
      let number = Int.random(in: 1...max(rowCount, 1))
      let start = ContinuousClock.now
      _ = try connection.query(sql.writeOfCDC, [.text("\(number)")], "writing as CDC")
      let wait = ContinuousClock.now - start
      state.withLock { $0.longestWait = max($0.longestWait, wait) }
      Thread.sleep(forTimeInterval: Self.restSeconds)
    }
  }
}
