import Libpq
import Logging

/// The gate before each stretch of a rollback, whose only worker looks by itself what it is asked to do.
struct RollbackGate {
  private let control: ControlConnection
  private let pressure: Pressure
  private let steering: Steering
  private let stretches: Stretches
  private let stop: StopSignal

  /// How often a rollback that waits looks what it is asked to do. Arbitrary.
  private static let lookInterval = Duration.milliseconds(250)

  private final class Stretches: Steerable {
    let mostRows: Int
    var rowLimit = Int.max

    init(mostRows: Int) { self.mostRows = mostRows }

    func limitBatches(to rowCount: Int?) { rowLimit = rowCount ?? .max }

    func expectWorkers(_ count: Int) {}
  }

  /// - Parameter control: a connection that the rollback does not work on.
  init(_ options: RollbackOptions, _ control: ControlConnection, stop: StopSignal, logger: Logger) {
    self.control = control
    self.stop = stop
    stretches = Stretches(mostRows: options.merge.batchRows)
    pressure = Pressure(options.merge, stop: stop, logger: logger)
    steering = Steering(
      runID: options.runID,
      options.merge.schemas,
      pressure,
      stretches,
      stop: stop,
      logger: logger
    )
  }

  /// Waits until a stretch may be begun, which ``leave(rowCount:)`` then ends.
  ///
  /// - Returns: false when somebody has asked to stop.
  /// - Throws: ``PostgresError`` also where a lost control connection can't be had again in time.
  func enter() throws -> Bool {
    while stop.signal == nil {
      do {
        _ = try control.beat { connection throws(PostgresError) in try steering.look(connection) }
      } catch MergeFailure.unreachable(let error) {
        throw error
      }
      let end = ContinuousClock.now + Self.lookInterval
      if pressure.enter(worker: 1, unless: { .now > end }) { return true }
    }
    return false
  }

  /// A stretch has ended, and so many rows were taken back.
  func leave(rowCount: Int) {
    pressure.spend(rowCount: rowCount, worker: 1)
    pressure.leave(worker: 1)
  }

  /// How many rows a stretch may have, about.
  var batchRowCount: Int { min(stretches.mostRows, stretches.rowLimit) }
}
