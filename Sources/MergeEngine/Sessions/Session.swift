import Foundation
import Libpq
import Logging

/// Opens connections that have a session of their own, and keep what role and database have set for it.
struct Session: Sendable {
  /// Production, and the admin schema.
  let target: ConnectionTarget
  /// Staging, where it is in another database.
  var stagingTarget: ConnectionTarget?
  let schemas: Schemas
  var lockTimeoutMilliseconds = 10_000
  /// How long a statement may take; 0 for no limit.
  var statementTimeoutMilliseconds = 0
  /// The server refuses every write on these connections: for commands that only look.
  var isReadOnly = false
  /// What is read is held against what a merge has written or will write, so that casts to text have to come out as the
  /// merge's do: the formats are those of role and database, unless the merge itself has others.
  var castsAsMerge = false
  /// A transaction may be idle for long: while a file is written.
  var leavesTransactionsIdle = false
  /// How long a server may be silent beyond ``statementTimeoutMilliseconds``, which it sees to itself. Arbitrary.
  var silenceGraceSeconds = 15.0
  /// How long one may be silent that was asked to cancel. Arbitrary.
  var cancelGraceSeconds = 10.0
  let logger: Logger

  /// The oldest server that the statements work on: TID range scans came with 14.
  static let oldestServerVersion = 140_000

  /// For how long a command that only reads tries a statement again which a standby ends for what it replays. Arbitrary:
  /// twice the standby's own patience, `max_standby_streaming_delay`, unless that was changed.
  private static let conflictPatienceSeconds = 60.0

  /// How often and after which pause a server that has no connection left is asked again. Arbitrary: a second in all.
  private static let (fullServerAttempts, fullServerPauseSeconds) = (10, 0.1)

  /// What a session is for, besides questions.
  struct Purpose {
    /// Batch-sized statements get the plans they were written for.
    var carriesBatches = false
    /// Commits need not wait for the disk.
    var lowersCommits = false
    /// Commits wait for the disk, whatever role or database have set: something on another server follows them.
    var raisesCommits = false
    /// A transaction may be idle for long: while the other database works, or the whole run waits.
    var waitsForOthers = false
    /// Values travel as text, from here or to here.
    var carriesText = false
    /// Values are compared by their text, within the server.
    var comparesText = false
  }

  /// The connection that a command asks its questions on and that a run is recorded on.
  func connectControl() throws(PostgresError) -> Connection {
    try connect(target, role: "control", for: Purpose(raisesCommits: stagingTarget != nil))
  }

  /// The connection for questions about staging: `control` itself, unless staging is in another database.
  func connectStagingControl(beside control: Connection) throws(PostgresError) -> Connection {
    guard let stagingTarget else { return control }
    return try connect(stagingTarget, role: "control")
  }

  /// - Parameters:
  ///   - role: what the connection does, as `run 7 worker 2`, for `pg_stat_activity`.
  ///   - purpose: what for.
  /// - Throws: ``PostgresError``, with origin `foreignSession` when a pooler stands between: nothing is set then.
  func connect(
    _ target: ConnectionTarget,
    role: String,
    for purpose: Purpose = Purpose()
  ) throws(PostgresError) -> Connection {
    let connection = try open(target, role: role)
    do {
      try setUp(connection, purpose, target)
      return connection
    } catch {
      guard connection.isBroken || error.sqlState == .queryCanceled else { throw error }
      // Role or database leave a session no time to set its own limits: it begins with them.
      let limits = SessionSettings.startOptions(serverVersion: connection.serverVersionNumber)
      let given = connection.setting("options").map { [$0] } ?? []
      let limited = try open(target, role: role, startOptions: (given + [limits]).joined(separator: " "))
      try setUp(limited, purpose, target)
      return limited
    }
  }

  private func open(
    _ target: ConnectionTarget,
    role: String,
    startOptions: String? = nil
  ) throws(PostgresError) -> Connection {
    let logger = logger
    func attempt() throws(PostgresError) -> Connection {
      try Connection(
        to: target,
        applicationName: "merge-engine \(role)",
        startOptions: startOptions
      ) { notice in
        // Once a command: all connections have the same to say about this side of them.
        guard notice.isFromServer || role != "control" else { return logger.warning("\(notice.message)") }
        logger.debug("\(notice.severity): \(notice.message)", metadata: ["sqlstate": "\(notice.sqlState)"])
      }
    }
    let connection = try Self.patiently(attempt)
    guard connection.serverVersionNumber >= Self.oldestServerVersion else {
      throw PostgresError(
        .connecting,
        message: "the server is PostgreSQL \(connection.serverVersionNumber / 10_000); merge-engine needs 14 or later",
        operation: "connecting to \(target)"
      )
    }
    connection.cancelGraceSeconds = cancelGraceSeconds
    if isReadOnly { connection.conflictPatienceSeconds = Self.conflictPatienceSeconds }
    if statementTimeoutMilliseconds > 0 {
      // The server ends a long statement itself; only one that does not even manage that is given up from here.
      connection.answerTimeLimitSeconds = Double(statementTimeoutMilliseconds) / 1000 + silenceGraceSeconds
    }
    let (session, backend) = (self, connection.backendProcessID)
    connection.onSilence = { session.tellOfStandbys(backend, target, while: $0) }
    return connection
  }

  /// The server counts a connection that was closed here a moment ago for some moments still.
  private static func patiently(_ connect: () throws(PostgresError) -> Connection) throws(PostgresError) -> Connection {
    for _ in 0..<fullServerAttempts {
      do {
        return try connect()
      } catch {
        guard error.sqlState == .tooManyConnections else { throw error }
        Thread.sleep(forTimeInterval: fullServerPauseSeconds)
      }
    }
    return try connect()
  }

  private func setUp(_ connection: Connection, _ purpose: Purpose, _ target: ConnectionTarget) throws(PostgresError) {
    var settings = SessionSettings.limits(
      lockTimeoutMilliseconds: lockTimeoutMilliseconds,
      statementTimeoutMilliseconds: statementTimeoutMilliseconds,
      waitsForOthers: purpose.waitsForOthers || leavesTransactionsIdle,
      serverVersion: connection.serverVersionNumber
    )
    if isReadOnly { settings = settings + .readOnly }
    if isReadOnly || !purpose.carriesBatches { settings = settings + .allRows }
    if purpose.carriesBatches { settings = settings + .batches }
    // What is read to be shown is no business of the database's own code.
    if purpose.carriesText || isReadOnly && !castsAsMerge {
      settings = settings + .readableText
    } else if purpose.comparesText {
      settings = settings + .distinctText
    }
    let isOwn: Bool
    do {
      isOwn = try (settings + .silence).apply(to: connection, purpose)
    } catch {
      // Not every server's operating system can do all of it.
      guard error.sqlState == .invalidParameterValue else { throw error }
      isOwn = try settings.apply(to: connection, purpose)
    }
    guard isOwn else { throw .foreignSession("connecting to \(target)") }
  }
}
