import CLibpq
import Dispatch

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// One connection to a PostgreSQL server.
///
/// Every call blocks its thread until the server has answered, so a connection belongs to a thread of its own and is
/// not `Sendable`; only its ``cancelToken`` may be used from elsewhere. Waiting is done here with `poll` rather than
/// inside libpq, so that a server that falls silent can be given up after ``answerTimeLimitSeconds``.
public final class Connection {
  let handle: OpaquePointer
  private let noticeReceiver: NoticeReceiver

  /// Cancels the running statement from another thread.
  public let cancelToken: CancelToken

  /// How long the server may stay silent in the middle of a statement before the connection is given up; nil for
  /// ever. A silent server is one that sends not a single byte: a long UPDATE is silent too.
  public var answerTimeLimitSeconds: Double?

  /// How long a cancelled server may take to answer before the connection is given up. Arbitrary.
  public var cancelGraceSeconds = 10.0

  /// How long the server may be silent before it is asked once more to end what was cancelled: the first request may have
  /// come between two statements. Arbitrary.
  public var cancelPauseSeconds = 2.0

  /// When the server began the session, in seconds since 1970 as text that no setting changes, if whoever opened it has asked:
  /// with the process id it tells the session from any later one.
  public var sessionStart: String?

  /// For how long a statement is tried again that a standby has ended because of what it replays; for sessions that only read.
  public var conflictPatienceSeconds = 0.0

  /// Nothing waits for the next statement, and nothing follows it in its message: for servers that take only some statements
  /// together.
  public var sendsSingly = false

  /// How long the server and the way to it have taken at least to answer anything: about the length of the way, where that is
  /// long.
  public private(set) var shortestTrip: Duration?
  /// How often an answer was waited for.
  public private(set) var tripCount = 0
  /// When the trip under way began.
  private var tripStart: ContinuousClock.Instant?

  /// What goes with the next statement, in the order in which it runs.
  var waiting: [Waiting] = []

  /// To queries that were asked ahead.
  var answers: [Query: Result<ResultSet, PostgresError>] = [:]

  /// Called once a statement when the server has been silent for ``silenceNoticeSeconds``.
  public var onSilence: ((_ operation: String) -> Void)?

  /// When ``onSilence`` is called. Arbitrary.
  public static let silenceNoticeSeconds = 5.0

  /// Connects and pins the client encoding to UTF-8, or to SQL_ASCII where the database is of that kind.
  ///
  /// - Parameters:
  ///   - target: where to; `connect_timeout` and TCP keepalives have defaults that the string and libpq's
  ///     environment override; so has `target_session_attrs` where the string names several hosts: `primary`.
  ///   - applicationName: what `pg_stat_activity` shows.
  ///   - startOptions: libpq's `options` in place of what the string or the environment says; nil for that.
  ///   - receiveNotice: gets the server's notices, from the login on, on the thread that uses the connection.
  /// - Throws: ``PostgresError`` with origin `connecting`, and the SQLSTATE that the server refused the login with;
  ///   with origin `foreignSession` when a pooler refuses what a server would not.
  public init(
    to target: ConnectionTarget,
    applicationName: String,
    startOptions: String? = nil,
    receiveNotice: @escaping (Notice) -> Void
  ) throws(PostgresError) {
    let refusedFile = PasswordFile.refused(target)
    if let refusedFile {
      receiveNotice(
        Notice(
          severity: "WARNING",
          message:
            "the password file \(refusedFile) is not used: it must be a plain file that nobody else may read (chmod 0600)",
          sqlState: SQLState("01000"),
          isFromServer: false
        )
      )
    }
    // Entries before dbname are defaults that the string overrides; those after it override the string.
    let settings: [(String, String)] =
      Self.ownDefaults(target) + (target.connectionString.map { [("dbname", $0)] } ?? [])
      // The first dbname may be a whole string, the second is a plain name and wins.
      + (target.databaseName.map { [("dbname", $0)] } ?? [])
      + [("application_name", applicationName), ("client_encoding", "UTF8")]
      + (refusedFile == nil ? [] : [("passfile", PasswordFile.none)])
      + (target.server.map { [("host", $0.host), ("port", "\($0.port)")] } ?? [])
      + ((startOptions ?? target.server?.startOptions).map { [("options", $0)] } ?? [])
    let receiver = NoticeReceiver(receiveNotice)
    let opened = try Self.open(target, settings, receiver)
    // A SQL_ASCII database holds bytes of no encoding in particular. The server converts none of them, but would check
    // those that come back, and refuse what it handed out before.
    if PQparameterStatus(opened, "server_encoding").map({ String(cString: $0) }) == "SQL_ASCII" {
      PQsetClientEncoding(opened, "SQL_ASCII")
    }
    _ = PQsetnonblocking(opened, 1)
    handle = opened
    noticeReceiver = receiver
    cancelToken = CancelToken(opened)
  }

  /// Connects with the password that the target's source gives, if it has one.
  ///
  /// A token may expire between being made and being shown, so a refused login is tried again once, with a new one.
  private static func open(
    _ target: ConnectionTarget,
    _ settings: [(String, String)],
    _ receiver: NoticeReceiver
  ) throws(PostgresError) -> OpaquePointer {
    func attempt(_ password: String?) throws(PostgresError) -> OpaquePointer {
      let secret = password.map { [("password", $0)] } ?? []
      return try ConnectionAttempt(settings + secret, receiver).connect("connecting to \(target)")
    }
    guard let passwordSource = target.passwordSource else { return try attempt(nil) }
    let password = try passwordSource()
    do {
      return try attempt(password)
    } catch {
      guard error.sqlState?.category == "28" else { throw error }
      return try attempt(passwordSource())
    }
  }

  /// Our defaults, without those that libpq's environment or service file has a word on: that comes last and would lose.
  ///
  /// A service named in the string itself is not seen here: our defaults win over its own.
  private static func ownDefaults(_ target: ConnectionTarget) -> [(String, String)] {
    var taken: Set<String> = []
    var namesSeveralHosts = target.namesSeveralHosts ?? false
    if let options = PQconndefaults() {
      defer { PQconninfoFree(options) }
      var option = options
      while let keyword = option.pointee.keyword {
        let name = String(cString: keyword)
        if let value = option.pointee.val.map({ String(cString: $0) }) {
          // What is compiled into libpq is nobody's word.
          let isTyped = option.pointee.compiled.map { String(cString: $0) } != value
          if isTyped || option.pointee.envvar.map({ getenv($0) != nil }) == true { taken.insert(name) }
          if target.namesSeveralHosts == nil, name == "host" || name == "hostaddr" {
            namesSeveralHosts = namesSeveralHosts || value.contains(",")
          }
        }
        option += 1
      }
    }
    var defaults = [
      ("connect_timeout", "15"), ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "20000"),
    ]
    // Of several servers that follow each other only one takes writes, and it is not always the same.
    if namesSeveralHosts { defaults.append(("target_session_attrs", "primary")) }
    return defaults.filter { !taken.contains($0.0) }
  }

  deinit {
    PQfinish(handle)
  }

  /// How many bytes a name has on the server, at most: names are cut by bytes of its encoding, in which letters may have more than
  /// in UTF-8, and never more than four.
  public func serverByteCount(of name: String) -> Int {
    guard reportedSetting("server_encoding") != "UTF8" else {
      return name.utf8.count
    }
    return name.unicodeScalars.reduce(0) { $0 + ($1.isASCII ? 1 : 4) }
  }

  /// The server's version as PostgreSQL counts it: 150018 for 15.18.
  public var serverVersionNumber: Int { Int(PQserverVersion(handle)) }

  /// The process id of the server's side, as `pg_stat_activity.pid` shows it.
  public var backendProcessID: Int { Int(PQbackendPID(handle)) }

  /// Whether the server was a standby that follows another server when it last spoke.
  public var isStandby: Bool { reportedSetting("in_hot_standby") == "on" }

  /// A setting of the session, of those whose changes the server reports: what it was when the server last spoke.
  ///
  /// <https://www.postgresql.org/docs/current/libpq-status.html#LIBPQ-PQPARAMETERSTATUS>
  package func reportedSetting(_ name: String) -> String? {
    PQparameterStatus(handle, name).map { String(cString: $0) }
  }

  /// What a keyword of the connection string was in the end: typed, from the environment, or a default.
  ///
  /// - Returns: nil for a keyword that libpq doesn't know, or that has no value.
  package func setting(_ keyword: String) -> String? { ConnectionAttempt.setting(keyword, of: handle) }

  /// Whether a transaction block is open, failed ones included, or opens with the next statement.
  public var isInTransaction: Bool {
    let status = PQtransactionStatus(handle)
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || waiting.contains { $0.beginsTransaction }
  }

  /// Whether the connection is known to be broken, or was given up because the server fell silent.
  public var isBroken: Bool { isGivenUp || PQstatus(handle) != CONNECTION_OK }

  /// Set for good: an answer that comes after all would be taken for the answer to a later statement.
  private var isGivenUp = false

  // MARK: Waiting

  /// Sends everything that libpq has buffered, reading meanwhile so that both sides cannot block on full pipes.
  func flush(_ operation: String) throws(PostgresError) {
    while true {
      switch PQflush(handle) {
      case 0: return
      case 1:
        let ready = try wait(for: Int16(POLLIN | POLLOUT), operation)
        if ready & Int16(POLLIN) != 0 { try consumeInput(operation) }
      default: throw lost(operation)
      }
    }
  }

  /// Something was handed to libpq that the server will answer.
  func beginTrip() {
    tripCount += 1
    tripStart = .now
  }

  /// Waits until there is something to read, and reads it into libpq's buffer.
  func awaitInput(_ operation: String) throws(PostgresError) {
    _ = try wait(for: Int16(POLLIN), operation)
    if let start = tripStart.take() { shortestTrip = min(shortestTrip ?? .now - start, .now - start) }
    try consumeInput(operation)
  }

  /// The next result of what was sent; nil when the server is ready for the next statement.
  func nextResult(_ operation: String) throws(PostgresError) -> ResultSet? {
    try flush(operation)
    while PQisBusy(handle) == 1 { try awaitInput(operation) }
    return PQgetResult(handle).map { ResultSet($0) }
  }

  /// The error that stands for a broken line.
  func lost(_ operation: String) -> PostgresError {
    PostgresError(.connectionLost, message: PostgresError.text(of: handle), operation: operation)
  }

  private func consumeInput(_ operation: String) throws(PostgresError) {
    guard PQconsumeInput(handle) == 1 else { throw lost(operation) }
  }

  /// The error for good of a connection on which nobody knows any more what the next answer belongs to.
  func outOfStep(_ operation: String) -> PostgresError { givenUp(PostgresError.text(of: handle), operation) }

  private func givenUp(_ message: String, _ operation: String) -> PostgresError {
    isGivenUp = true
    return PostgresError(.connectionLost, message: message, operation: operation)
  }

  /// - Returns: the events that are ready.
  private func wait(for events: Int16, _ operation: String) throws(PostgresError) -> Int16 {
    // Half a second is arbitrary: how soon a cancelled statement on a dead line is noticed.
    let sliceMilliseconds: Int32 = 500
    var waitedSeconds = 0.0
    var cancelAtSeconds = cancelPauseSeconds
    while true {
      var descriptor = pollfd(fd: PQsocket(handle), events: events, revents: 0)
      guard descriptor.fd >= 0 else { throw lost(operation) }
      let count = poll(&descriptor, 1, sliceMilliseconds)
      if count > 0 { return descriptor.revents }
      if count < 0 && errno != EINTR { throw lost(operation) }
      guard count == 0 else { continue }
      waitedSeconds += Double(sliceMilliseconds) / 1000
      if waitedSeconds == Self.silenceNoticeSeconds { onSilence?(operation) }
      if cancelToken.isRequested && waitedSeconds >= cancelAtSeconds {
        cancelAtSeconds += cancelPauseSeconds
        // Elsewhere, since on a line that is dead the request blocks as well.
        DispatchQueue.global().async { [cancelToken] in _ = cancelToken.sendRequest() }
      }
      if let limit = answerTimeLimitSeconds, waitedSeconds >= limit {
        throw givenUp("the server has sent nothing for \(limit) s", operation)
      }
      if cancelToken.isRequested && waitedSeconds >= cancelGraceSeconds {
        throw givenUp("the server did not answer the request to cancel", operation)
      }
    }
  }
}
