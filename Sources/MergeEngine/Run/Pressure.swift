import Libpq
import Logging

/// Keeps the merge from pressing production too hard: a rate for all workers together, and pauses while standbys lag.
final class Pressure: Sendable {
  private struct State {
    /// When the rows read so far may be followed by more.
    var paidUntil = ContinuousClock.now
    /// True until the standbys have been asked for the first time, where that is wanted.
    var isPaused: Bool
    var measuredAt: ContinuousClock.Instant?
    var hasVanished = false
  }

  private let monitor: Monitor<State>
  private let maxRowsPerSecond: Int?
  private let maxLagSeconds: Double?
  private let replica: String?
  private let stop: StopSignal
  private let logger: Logger

  /// How often standbys are asked. Arbitrary: the lag that `pg_stat_replication` shows is about as old.
  private static let measureInterval = Duration.seconds(1)

  init(_ options: MergeOptions, stop: StopSignal, logger: Logger) {
    self.logger = logger
    maxRowsPerSecond = options.maxRowsPerSecond
    maxLagSeconds = options.maxReplicaLagSeconds.map(Double.init)
    replica = options.replica
    self.stop = stop
    monitor = Monitor(State(isPaused: options.maxReplicaLagSeconds != nil))
  }

  /// Waits as long as the rows of a batch are worth at the wanted rate.
  func spend(rowCount: Int) {
    guard let maxRowsPerSecond else { return }
    let price = Duration.seconds(Double(rowCount) / Double(maxRowsPerSecond))
    let paidUntil = monitor.update { state in
      state.paidUntil = max(state.paidUntil, .now) + price
      return state.paidUntil
    }
    stop.sleep(seconds: (paidUntil - .now) / .seconds(1))
  }

  /// Waits while a standby is too far behind, or until the run is over without having caught up.
  func waitForStandbys(unless isOver: () -> Bool) {
    while stop.signal == nil, !isOver(), monitor.update({ $0.isPaused }) { stop.sleep(seconds: 0.1) }
  }

  /// Asks how far the standbys are behind, if it is time to.
  func measure(_ connection: Connection) throws(PostgresError) {
    guard let maxLagSeconds else { return }
    let isDue = monitor.update { state in state.measuredAt.map { .now - $0 > Self.measureInterval } ?? true }
    guard isDue else { return }
    let lagSeconds = try ReplicaLag.seconds(connection, replica: replica)
    let hasVanished = monitor.update { state in
      defer { state.hasVanished = lagSeconds == .infinity }
      state.measuredAt = .now
      state.isPaused = lagSeconds > maxLagSeconds
      return lagSeconds == .infinity && !state.hasVanished
    }
    guard hasVanished, let replica else { return }
    logger.warning("the standby is gone, waiting for it", metadata: ["replica": "\(replica)"])
  }
}
