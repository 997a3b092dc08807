import Foundation
import Libpq
import Logging

/// The gate before each batch: keeps the merge from pressing production too hard, and pauses it.
///
/// A worker that waits here holds no transaction and no lock, but its connections.
final class Pressure: Sendable {
  /// Why a run is paused.
  enum Reason: Int, Sendable, Hashable, Comparable, CaseIterable {
    case control, window, condition, silentCondition, replicaLag

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
  }

  /// A pause that is over, or lasts to now.
  struct Pause: Sendable, CustomStringConvertible {
    let reason: String
    let start: Date
    let end: Date

    var description: String {
      let style = Date.ISO8601FormatStyle()
      return "the run was paused from \(start.formatted(style)) to \(end.formatted(style)): \(reason)."
    }
  }

  private struct State {
    var rate: RowRate
    var workerLimit: Int
    /// The highest that ``workerLimit`` has been.
    var mostWorkers: Int
    /// As many workers as the server has shown to have room for; nil for any.
    var roomForWorkers: Int?
    var reasons: Set<Reason>
    var activeCount = 0
    var pausedAt: (reason: String, start: Date)?
    var pauses: [Pause] = []
    var measuredAt: ContinuousClock.Instant?
    var conditionAskedAt: ContinuousClock.Instant?
    var hasVanished = false
  }

  private let monitor: Monitor<State>
  private let maxLagSeconds: Double?
  private let replica: String?
  private let condition: PauseCondition?
  private let window: DailyWindow?
  private let stop: StopSignal
  private let logger: Logger

  /// How often standbys are asked. Arbitrary: the lag that `pg_stat_replication` shows is about as old.
  private static let measureInterval = Duration.seconds(1)
  /// How often `--pause-while` is asked. Arbitrary: it may be dear.
  private static let conditionInterval = Duration.seconds(3)

  init(_ options: MergeOptions, stop: StopSignal, logger: Logger) {
    self.logger = logger
    maxLagSeconds = options.maxReplicaLagSeconds.map(Double.init)
    replica = options.replica
    condition = options.pauseWhile.map(PauseCondition.init)
    window = options.window
    self.stop = stop
    // Until they have been asked for the first time, nothing is begun.
    let unknown: [Reason?] = [
      maxLagSeconds != nil ? .replicaLag : nil, condition != nil ? .condition : nil, window != nil ? .window : nil,
    ]
    monitor = Monitor(
      State(
        rate: RowRate(options.maxRowsPerSecond, batchRows: options.batchRows, now: .now),
        workerLimit: options.workerCount,
        mostWorkers: options.workerCount,
        reasons: Set(unknown.compactMap(\.self))
      )
    )
  }

  // MARK: For workers

  /// Waits until a batch may be begun, or the run is over.
  ///
  /// - Returns: whether one may; ``leave(worker:)`` then follows.
  func enter(worker number: Int, unless isOver: () -> Bool) -> Bool {
    while stop.signal == nil, !isOver() {
      let mayBegin = monitor.update { state in
        guard state.reasons.isEmpty, number <= state.workerLimit, state.rate.mayBegin(.now) else { return false }
        state.activeCount += 1
        state.rate.begin(worker: number, .now)
        return true
      }
      if mayBegin { return true }
      // Arbitrary: short beside any batch.
      stop.sleep(seconds: 0.05)
    }
    return false
  }

  /// A batch has ended.
  func leave(worker number: Int) {
    monitor.update { state in
      state.activeCount -= 1
      state.rate.end(worker: number)
    }
  }

  /// The server had no room for what a worker needs beside the others: from now on one less is at work.
  ///
  /// - Returns: how many there may be, if others may now carry the worker's batch; nil when it is one of those that are left.
  func makeRoom(for number: Int) -> Int? {
    monitor.update { state in
      let room = max(min(state.activeCount - 1, state.roomForWorkers ?? .max), 1)
      let isLess = room < state.workerLimit
      if isLess { (state.roomForWorkers, state.workerLimit) = (room, room) }
      return isLess || number > state.workerLimit ? room : nil
    }
  }

  /// Notes the rows of a worker's batch, which count against the wanted rate.
  func spend(rowCount: Int, worker number: Int) {
    monitor.update { $0.rate.spend(rowCount: rowCount, worker: number) }
  }

  // MARK: For whoever steers

  /// How many batches are under way.
  var activeCount: Int { monitor.update { $0.activeCount } }

  /// How many workers are wanted.
  var workerLimit: Int { monitor.update { $0.workerLimit } }

  /// Rows in a second, if they are limited.
  var rate: Int? { monitor.update { $0.rate.rowsPerSecond } }

  /// Pauses for a reason, or no more.
  func set(_ reason: Reason, _ isPaused: Bool) {
    monitor.update { state in
      if isPaused { state.reasons.insert(reason) } else { state.reasons.remove(reason) }
    }
  }

  /// - Parameter rows: nil for no limit.
  func limitRate(to rows: Int?) { monitor.update { $0.rate.limit(to: rows, .now) } }

  func limitWorkers(to count: Int) {
    monitor.update { state in
      state.workerLimit = min(count, state.roomForWorkers ?? .max)
      state.mostWorkers = max(state.mostWorkers, state.workerLimit)
    }
  }

  /// The most workers that were wanted so far.
  var mostWorkers: Int { monitor.update { $0.mostWorkers } }

  /// Why nothing is begun, in words; nil when it is.
  var pauseReason: String? { monitor.update { self.words($0.reasons) } }

  private func words(_ reasons: Set<Reason>) -> String? {
    guard let first = reasons.min() else { return nil }
    return switch first {
    case .control: "merge-engine control --pause"
    case .window: "outside --window \(window.map { "\($0)" } ?? "")"
    case .condition: "--pause-while is true"
    case .silentCondition: "--pause-while did not return within \(PauseCondition.limitSeconds) s"
    case .replicaLag: "a standby is further behind than --max-replica-lag"
    }
  }

  /// The pauses so far, but for those for standbys, which may be many.
  var pauses: [Pause] {
    monitor.update { state in
      self.follow(&state, .now)
      let open = state.pausedAt.map { [Pause(reason: $0.reason, start: $0.start, end: .now)] } ?? []
      return state.pauses + open
    }
  }

  private func follow(_ state: inout State, _ now: Date) {
    let reason = words(state.reasons.subtracting([.replicaLag]))
    guard reason != state.pausedAt?.reason else { return }
    if let (reason, start) = state.pausedAt { state.pauses.append(Pause(reason: reason, start: start, end: now)) }
    state.pausedAt = reason.map { (reason: $0, start: now) }
  }

  /// Looks at all that may pause the run, if it is time to.
  func measure(_ connection: Connection) throws(PostgresError) {
    try measureLag(connection)
    if let condition {
      let isDue = monitor.update { $0.conditionAskedAt.map { .now - $0 > Self.conditionInterval } ?? true }
      if isDue {
        let answer = try condition.ask(connection)
        set(.condition, answer == .yes)
        set(.silentCondition, answer == .silence)
        let isFirst = monitor.update { state in
          defer { state.conditionAskedAt = .now }
          return state.conditionAskedAt == nil
        }
        if isFirst, answer == .null {
          logger.warning(
            "--pause-while returned NULL, or no row, which does not pause the run: is that what you meant?"
          )
        }
      }
    }
    if let window { set(.window, !window.contains(.now)) }
    monitor.update { self.follow(&$0, .now) }
  }

  private func measureLag(_ connection: Connection) throws(PostgresError) {
    guard let maxLagSeconds else { return }
    let isDue = monitor.update { state in state.measuredAt.map { .now - $0 > Self.measureInterval } ?? true }
    guard isDue else { return }
    let lagSeconds = try ReplicaLag.seconds(connection, replica: replica)
    set(.replicaLag, lagSeconds > maxLagSeconds)
    let hasVanished = monitor.update { state in
      defer { state.hasVanished = lagSeconds == .infinity }
      state.measuredAt = .now
      return lagSeconds == .infinity && !state.hasVanished
    }
    guard hasVanished, let replica else { return }
    logger.warning("the standby is gone; waiting for it to return", metadata: ["replica": "\(replica)"])
  }
}
