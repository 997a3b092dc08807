import Foundation

/// The threads of a run's workers.
///
/// Threads, because libpq blocks: on Swift's cooperative pool a blocked call would keep a core's only thread.
struct WorkerThreads {
  private struct State {
    var runningCount: Int
    var connectedCount = 0
    var fatalError: (any Error)?
  }

  private let monitor: Monitor<State>

  /// Starts the workers.
  init(count: Int, _ context: RunContext, _ queue: WorkQueue) {
    let monitor = Monitor(State(runningCount: count))
    self.monitor = monitor
    for number in 1...count {
      let thread = Thread {
        do {
          let worker = Worker(number: number, context, queue)
          if try worker.connect() {
            monitor.update { $0.connectedCount += 1 }
            try worker.run()
          }
        } catch MergeFailure.unreachable(let reason) where monitor.update({ $0.connectedCount > 0 }) {
          context.logger.warning(
            "worker got no connection, the others go on without it",
            metadata: ["worker": "\(number)", "reason": "\(reason)"]
          )
        } catch {
          monitor.update { $0.fatalError = $0.fatalError ?? error }
          queue.stop()
        }
        monitor.update { $0.runningCount -= 1 }
      }
      thread.name = "worker \(number)"
      thread.start()
    }
  }

  /// - Returns: whether all workers have ended within the time.
  func waitForAll(timeLimitSeconds: Double) -> Bool {
    monitor.wait(timeLimitSeconds: timeLimitSeconds) { $0.runningCount == 0 ? true : nil } ?? false
  }

  /// What ended the run as a whole.
  var fatalError: (any Error)? { monitor.update { $0.fatalError } }
}
