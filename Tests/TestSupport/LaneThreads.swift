import Foundation

/// The threads on which tests in a lane run.
///
/// Tests ask servers and wait for programs in blocking calls. On the two threads of the cooperative pool they would keep
/// each other and every unit test waiting, at times for a minute, and what a test waits to see would be over when it looks.
final class LaneThreads: TaskExecutor {
  /// As many as there are places in the lanes.
  static let shared = LaneThreads(16)

  private let jobs = Jobs()

  private init(_ count: Int) {
    for _ in 0..<count {
      Thread { [jobs, unowned self] in
        while true { unsafe jobs.next().runSynchronously(on: asUnownedTaskExecutor()) }
      }
      .start()
    }
  }

  func enqueue(_ job: consuming ExecutorJob) {
    jobs.add(UnownedJob(job))
  }

  /// First come, first served.
  private final class Jobs: @unchecked Sendable {
    // Safe: `waiting` is read and changed under the condition's lock alone.
    private let condition = NSCondition()
    private var waiting: [UnownedJob] = []

    func add(_ job: UnownedJob) {
      condition.withLock {
        waiting.append(job)
        condition.signal()
      }
    }

    func next() -> UnownedJob {
      condition.withLock {
        while waiting.isEmpty { condition.wait() }
        return waiting.removeFirst()
      }
    }
  }
}
