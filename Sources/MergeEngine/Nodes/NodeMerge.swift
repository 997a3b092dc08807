import Logging

/// The merge of one node's shards.
struct NodeMerge {
  let share: NodeShare
  let retries: RetryPolicy
  let logger: Logger
  let stop: StopSignal

  /// Merges; blocks the calling thread. A node that can't be reached is waited for as a running merge waits for its server: the others
  /// are at work by now, and it was there when they began.
  ///
  /// - Throws: as ``MergeRun/run(onProgress:)``.
  func run(onProgress: (RunProgress) -> Void) throws -> RunReport {
    let run = MergeRun(target: share.target, options: share.options, logger: logger, stop: stop)
    let deadline = ContinuousClock.now + .seconds(retries.reconnectLimitSeconds)
    var attempt = 0
    while true {
      do {
        return try run.run(onProgress: onProgress)
      } catch MergeFailure.unreachable(let error) {
        guard !error.refusesLogin, .now < deadline else { throw MergeFailure.unreachable(error) }
        guard stop.signal == nil else { throw CancellationError() }
        attempt += 1
        logger.warning("the node can't be reached; trying again", metadata: ["reason": "\(error)"])
        stop.sleep(seconds: retries.waitSeconds(afterAttempt: attempt))
      }
    }
  }
}
