import Foundation
import Libpq
import Logging

/// Looks at a running merge from outside, again and again, on one connection.
package final class StatusWatch {
  private let session: Session
  private let stop: StopSignal
  private let intervalSeconds: Double
  private let tables: [String]?
  private let columns: ColumnRules
  private var counter: StagingCounter
  private var connection: Connection?
  private var history: [Sample] = []

  /// What a run had read at a moment, by table.
  private struct Sample {
    let at: ContinuousClock.Instant
    let runID: Int
    let read: [String: Int]
  }

  /// Rates are those of the last ten seconds. Arbitrary: some batches long, and soon rid of what was before.
  private static let rateWindow = Duration.seconds(10)

  /// - Parameters:
  ///   - tables: only these; nil for all.
  ///   - columns: what staging calls otherwise than production.
  ///   - intervalSeconds: how often ``look()`` will be called.
  ///   - stop: ends what is being asked.
  package init(
    target: ConnectionTarget,
    schemas: Schemas,
    tables: [String]?,
    columns: ColumnRules = ColumnRules(),
    intervalSeconds: Double,
    logger: Logger,
    stop: StopSignal
  ) {
    self.stop = stop
    self.intervalSeconds = intervalSeconds
    self.tables = tables
    self.columns = columns
    session = Session(target: target, schemas: schemas, isReadOnly: true, logger: logger)
    counter = StagingCounter(schemas, only: tables, rules: columns, intervalSeconds: intervalSeconds)
  }

  /// Where things stand now; connects if there is no connection, or none any more.
  ///
  /// - Throws: ``MergeFailure``, ``PostgresError``; the next call may succeed.
  package func look() throws -> LiveStatus {
    let connection = try connected()
    do {
      return try stop.covering(connection) { try look(connection) }
    } catch {
      // The next look begins with a connection that is in no transaction.
      self.connection = nil
      throw error
    }
  }

  /// Waits for the next look, or until somebody asks to stop.
  ///
  /// - Parameter start: when the last look was begun: how long it took does not add to the interval.
  /// - Returns: whether there is a next look.
  package func wait(since start: ContinuousClock.Instant) -> Bool {
    stop.sleep(seconds: intervalSeconds - (ContinuousClock.now - start) / .seconds(1))
    return stop.signal == nil
  }

  private func look(_ connection: Connection) throws -> LiveStatus {
    try StagingStatus.require(tables, on: connection, schemas: session.schemas, columns)
    let clock = try connection.query(
      "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
      "reading the server's clock"
    )
    let run = try RunCounts.latest(connection, session.schemas)
    let counted = try counter.count(run, connection)
    let rates = rates(run)
    return LiveStatus(
      at: clock.text(0, 0) ?? "",
      tables: counted.map { count in
        let status = count.status
        // A replay reads files: what it has done says nothing about staging.
        let counts = run?.isReplay == true ? nil : run?.tables[status.table]
        return LiveStatus.Table(
          status: status,
          isEstimate: count.isEstimate,
          done: status.processed + status.errors,
          rowsPerSecond: counts == nil ? nil : rates[status.table]
        )
      },
      workers: try WorkerActivity.read(connection, session.schemas),
      lastRun: try MergeStatus.readRuns(connection, session.schemas, limit: 1, closesDeadRuns: false).first
    )
  }

  /// Rows a second by table over the last seconds; empty when no merge is running or the first look is this one.
  private func rates(_ run: RunCounts?) -> [String: Double] {
    guard let run, run.isRunning else {
      history = []
      return [:]
    }
    let now = Sample(at: .now, runID: run.id, read: run.tables.mapValues(\.read))
    history.removeAll { $0.runID != run.id }
    // One sample from before the window stays, so that there is always something to compare with.
    while history.count > 1, now.at - history[1].at >= Self.rateWindow { history.removeFirst() }
    defer { history.append(now) }
    guard let then = history.first else { return [:] }
    let seconds = (now.at - then.at) / .seconds(1)
    guard seconds > 0 else { return [:] }
    return now.read.reduce(into: [:]) { rates, entry in
      rates[entry.key] = Double(max(entry.value - (then.read[entry.key] ?? 0), 0)) / seconds
    }
  }

  private func connected() throws -> Connection {
    if let connection, !connection.isBroken { return connection }
    let made = try session.reachControl()
    try StagingStatus.requireNoneOfCitus(made, session.schemas, columns, only: tables)
    connection = made
    return made
  }
}
