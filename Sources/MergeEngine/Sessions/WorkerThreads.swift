import Foundation

/// Work on several threads at once, each with connections of its own.
///
/// Threads, because libpq blocks: on Swift's cooperative pool a blocked call would keep a core's only thread.
package enum WorkerThreads {
  private struct State<Value> {
    var values: [Value] = []
    var error: (any Error)?
    var runningCount: Int
  }

  /// Runs `body` on `count` threads, numbered from 1, and waits for all of them.
  ///
  /// - Parameters:
  ///   - wantedCount: asked a few times a second; when it is more than were started, others are.
  ///   - whileWaiting: called on this thread a few times a second.
  ///   - onError: called by each thread that fails, to tell the others.
  /// - Returns: what the threads returned, in no order.
  /// - Throws: the first error of any of them, when all have ended.
  @discardableResult
  package static func run<Value: Sendable>(
    count: Int,
    growingTo wantedCount: () -> Int = { 0 },
    whileWaiting: () -> Void = {},
    onError: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable (Int) throws -> Value
  ) throws -> [Value] {
    let monitor = Monitor(State<Value>(runningCount: count))
    func start(_ number: Int) {
      let thread = Thread {
        let result = Result { try body(number) }
        monitor.update { state in
          switch result {
          case .success(let value): state.values.append(value)
          case .failure(let error): state.error = state.error ?? error
          }
        }
        if case .failure = result { onError() }
        monitor.update { $0.runningCount -= 1 }
      }
      thread.name = "worker \(number)"
      thread.start()
    }
    for number in 1..<(count + 1) { start(number) }
    var startedCount = count
    while monitor.wait(timeLimitSeconds: 0.25, until: { $0.runningCount == 0 ? true : nil }) == nil {
      whileWaiting()
      while startedCount < wantedCount() {
        startedCount += 1
        monitor.update { $0.runningCount += 1 }
        start(startedCount)
      }
    }
    return try monitor.update { state in
      if let error = state.error { throw error }
      return state.values
    }
  }
}
