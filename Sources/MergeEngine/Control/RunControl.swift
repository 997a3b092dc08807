import Foundation
import Libpq
import Logging

/// Asks a run that is going on to do something, from another process: the library's side of `merge-engine control`.
package struct RunControl: Sendable {
  private let session: Session
  private let stop: StopSignal

  /// How long the run's answer is waited for. Arbitrary: it looks every second, unless it is at its beginning or its end.
  private static let patienceSeconds = 15.0
  /// How long a run is waited for that holds no lock: it may be connecting again. Arbitrary.
  private static let lockPatienceSeconds = 5.0

  /// What became of what was asked.
  package struct Answer: Sendable, Encodable {
    /// The run.
    package let runID: Int
    /// Whether the run has done all of it; if not, it will when it looks next.
    package let isDone: Bool

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case isDone = "done"
    }
  }

  /// - Parameters:
  ///   - target: the database that holds the admin schema.
  ///   - stop: ends the wait for the run's answer.
  package init(target: ConnectionTarget, schemas: Schemas, logger: Logger, stop: StopSignal = StopSignal()) {
    self.stop = stop
    session = Session(target: target, schemas: schemas, logger: logger)
  }

  /// Asks, and waits until the run has done it; blocks the calling thread.
  ///
  /// - Throws: ``MergeFailure/usage(_:)`` for a run that there is none of, ``MergeFailure/blocked(_:)`` for one that is over,
  ///   dead, or can't be asked this; ``PostgresError``.
  package func ask(_ requests: [ControlRequest], of runID: Int) throws -> Answer {
    let connection = try session.reachControl()
    try requireControls(connection)
    try requireRunning(runID, requests, connection)
    try requireAlive(runID, connection)
    let controls = RunControls(runID: runID, admin: Identifier(session.schemas.admin))
    let ids = try requests.map { try controls.ask($0, connection) }
    let deadline = ContinuousClock.now + .seconds(Self.patienceSeconds)
    while try !ids.allSatisfy({ try controls.isTaken($0, connection) }) {
      guard stop.signal == nil, .now < deadline else { return Answer(runID: runID, isDone: false) }
      stop.sleep(seconds: 0.2)
    }
    return Answer(runID: runID, isDone: true)
  }

  private func requireControls(_ connection: Connection) throws {
    let columns = try AdminSchema(schemas: session.schemas).columns(connection)
    guard columns.contains("\(RunControls.name).taken_at") else {
      throw MergeFailure.blocked([
        .blocker(
          .adminSchema,
          nil,
          "the admin schema \(session.schemas.admin) is missing or belongs to an earlier version: no run of this version has begun."
        )
      ])
    }
  }

  private func requireRunning(_ runID: Int, _ requests: [ControlRequest], _ connection: Connection) throws {
    let row = try connection.query(
      """
      SELECT status::text, coalesce(parameters ->> 'atomic', '') = 'true', coalesce(parameters ->> 'on_nodes', '') = 'true'
      FROM \(Identifier(session.schemas.admin)).merge_summary WHERE id = $1
      """,
      [.bigint(runID)],
      "looking for run \(runID)"
    )
    guard row.count == 1 else {
      throw MergeFailure.usage("there is no run \(runID); merge-engine status shows the last runs.")
    }
    let status = row.text(0, 0) ?? ""
    let isRollingBack = status == RunStatus.rollingBack
    guard status == RunStatus.running.rawValue || isRollingBack else {
      throw Self.blocked("run \(runID) is \(status), and only a run in progress can be controlled.")
    }
    let changesWorkers = requests.contains { if case .workers = $0 { true } else { false } }
    guard !isRollingBack || !changesWorkers else {
      throw Self.blocked(
        "run \(runID) is being rolled back, which takes a single connection: --workers changes nothing."
      )
    }
    guard row.bool(0, 2) != true || requests.allSatisfy({ $0 == .stop }) else {
      throw Self.blocked("run \(runID) is carried by the nodes of Citus (--on-nodes). It can only be stopped.")
    }
    guard isRollingBack || row.bool(0, 1) != true || requests.allSatisfy({ $0 == .stop }) else {
      throw Self.blocked(
        "run \(runID) is --atomic: its one transaction would keep its locks while it waits. It can only be stopped."
      )
    }
  }

  /// A run holds a lock for as long as it lives.
  private func requireAlive(_ runID: Int, _ connection: Connection) throws {
    let deadline = ContinuousClock.now + .seconds(Self.lockPatienceSeconds)
    while try !isAlive(runID, connection) {
      guard stop.signal == nil, .now < deadline else {
        throw Self.blocked(
          "the process of run \(runID) is gone, though the run was never closed: merge-engine status closes it, and the same "
            + "command continues where it stopped."
        )
      }
      stop.sleep(seconds: 0.2)
    }
  }

  private func isAlive(_ runID: Int, _ connection: Connection) throws(PostgresError) -> Bool {
    let key = UInt32(bitPattern: AdvisoryLock.runKey(runID, admin: session.schemas.admin))
    return try connection.query(
      """
      SELECT EXISTS (SELECT FROM pg_locks
                     WHERE locktype = 'advisory' AND granted AND objsubid = 2
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                       AND classid = \(AdvisoryLock.runClass)::bigint::oid AND objid = \(key)::bigint::oid)
      """,
      "checking whether run \(runID) is alive"
    ).bool(0, 0) == true
  }

  private static func blocked(_ message: String) -> MergeFailure { .blocked([.blocker(.runState, nil, message)]) }
}
