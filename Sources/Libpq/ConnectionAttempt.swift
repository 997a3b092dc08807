import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Connects, as `PQconnectdb` does, but hears what the server says from its first word on.
///
/// Messages go to the receiver instead of to stderr, and errors bring their SQLSTATE: libpq has no function for that of a
/// refused login, but writes it into the message when it is asked to be verbose. Both have to be set before anything is
/// answered, so that the waiting is done here, and with it `connect_timeout`.
///
/// Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PQCONNECTSTARTPARAMS>
struct ConnectionAttempt {
  private let settings: [(String, String)]
  private let receiver: NoticeReceiver

  init(_ settings: [(String, String)], _ receiver: NoticeReceiver) {
    self.settings = settings
    self.receiver = receiver
  }

  /// - Returns: a connection that works.
  func connect(_ operation: String) throws(PostgresError) -> OpaquePointer {
    var hosts: [(String, String)] = []
    while true {
      guard let handle = start(settings + hosts) else {
        throw PostgresError(.connecting, message: "out of memory", operation: operation)
      }
      switch wait(handle) {
      case .connected:
        _ = PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        return handle
      case .failed:
        defer { PQfinish(handle) }
        var failure = Self.failure(PostgresError.text(of: handle), operation)
        // The client gives up by itself then, and no server has said a word.
        if PQconnectionNeedsPassword(handle) == 1 { failure.sqlState = failure.sqlState ?? .invalidPassword }
        throw failure
      case .timedOut:
        defer { PQfinish(handle) }
        // From a host that refuses libpq goes on to the next by itself, from a silent one only `PQconnectdb` would.
        guard let next = Self.hostsBehindCurrent(handle) else {
          throw Self.failure("\(Self.place(handle)): timeout expired", operation)
        }
        hosts = next
      }
    }
  }

  private func start(_ settings: [(String, String)]) -> OpaquePointer? {
    let handle = CStrings.with(settings.map(\.0)) { keywords in
      CStrings.with(settings.map(\.1)) { values in PQconnectStartParams(keywords, values, 1) }
    }
    guard let handle else { return nil }
    receiver.attach(to: handle)
    _ = PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
    return handle
  }

  private enum End { case connected, failed, timedOut }

  private func wait(_ handle: OpaquePointer) -> End {
    guard PQstatus(handle) != CONNECTION_BAD else { return .failed }
    let limit = Self.timeLimit(handle)
    var place = Self.place(handle)
    var deadline = limit.map { ContinuousClock.now + $0 }
    var events = Int16(POLLOUT)
    while true {
      if Self.place(handle) != place {
        // Another host, or another of its addresses: each has its time.
        place = Self.place(handle)
        deadline = limit.map { ContinuousClock.now + $0 }
      }
      let left = deadline.map { ($0 - .now) / .milliseconds(1) }
      if let left, left <= 0 { return .timedOut }
      var descriptor = pollfd(fd: PQsocket(handle), events: events, revents: 0)
      let count = poll(&descriptor, 1, left.map { Int32($0.rounded(.up)) } ?? -1)
      if count == 0 { continue }
      if count < 0, errno != EINTR { return .failed }
      guard count > 0 else { continue }
      switch PQconnectPoll(handle) {
      case PGRES_POLLING_OK: return .connected
      case PGRES_POLLING_READING: events = Int16(POLLIN)
      case PGRES_POLLING_WRITING: events = Int16(POLLOUT)
      default: return .failed
      }
    }
  }

  /// `connect_timeout` as libpq understands it: none for 0 and less, and two seconds at least.
  private static func timeLimit(_ handle: OpaquePointer) -> Duration? {
    guard let seconds = setting("connect_timeout", of: handle).flatMap({ Int($0) }), seconds > 0 else { return nil }
    return .seconds(max(seconds, 2))
  }

  private static func place(_ handle: OpaquePointer) -> String {
    let host = PQhost(handle).map { String(cString: $0) } ?? ""
    let address = PQhostaddr(handle).map { String(cString: $0) } ?? ""
    let port = PQport(handle).map { String(cString: $0) } ?? ""
    let name = address.isEmpty || address == host ? host : "\(host) (\(address))"
    return "connection to server at \(name), port \(port) failed"
  }

  /// The hosts that come after the one that is being tried, as settings; nil when it is the last.
  private static func hostsBehindCurrent(_ handle: OpaquePointer) -> [(String, String)]? {
    func list(_ keyword: String) -> [Substring] {
      setting(keyword, of: handle)?.split(separator: ",", omittingEmptySubsequences: false) ?? []
    }
    let lists = ["host", "hostaddr", "port"].map { (keyword: $0, values: list($0)) }
    let names = lists[0].values.isEmpty ? lists[1].values : lists[0].values
    let host = PQhost(handle).map { String(cString: $0) } ?? ""
    let port = PQport(handle).map { String(cString: $0) } ?? ""
    func isCurrent(_ index: Int) -> Bool {
      let ports = lists[2].values
      return names[index] == host && (ports.count < names.count || ports[index] == port)
    }
    guard let current = names.indices.first(where: isCurrent), current + 1 < names.count else { return nil }
    return lists.filter { $0.values.count == names.count }.map { list in
      (list.keyword, list.values[(current + 1)...].joined(separator: ","))
    }
  }

  /// What a keyword of the connection string is in the end; nil for none.
  static func setting(_ keyword: String, of handle: OpaquePointer) -> String? {
    guard let options = PQconninfo(handle) else { return nil }
    defer { PQconninfoFree(options) }
    var option = options
    while let name = option.pointee.keyword {
      if String(cString: name) == keyword { return option.pointee.val.map { String(cString: $0) } }
      option += 1
    }
    return nil
  }

  /// Takes the SQLSTATE out of a verbose message, `FATAL:  28P01: …`, and where in its source the server says it.
  private static func failure(_ text: String, _ operation: String) -> PostgresError {
    var message = text
    var sqlState: SQLState?
    while let match = message.firstMatch(of: #/:  ([0-9A-Z]{5}): /#) {
      sqlState = SQLState(String(match.1))
      message.replaceSubrange(match.range, with: ":  ")
    }
    if sqlState != nil { message.replace(#/ ?LOCATION:  .*?\.c:[0-9]+/#, with: "") }
    // To the server itself everybody speaks the protocol; a pooler in between does not know all of its options.
    let origin: PostgresError.Origin = sqlState == .protocolViolation ? .foreignSession : .connecting
    return PostgresError(origin, sqlState: sqlState, message: message, operation: operation)
  }
}
