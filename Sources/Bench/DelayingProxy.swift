import Foundation
import Libpq

/// Where a private server listens.
package struct ServerSocket: Sendable {
  /// The folder of its Unix socket.
  package let directory: String
  /// The number in the socket's name.
  package let port: Int

  /// A socket as libpq names it.
  package init(directory: String, port: Int) {
    self.directory = directory
    self.port = port
  }

  var path: String { "\(directory)/.s.PGSQL.\(port)" }
}

/// A line to a server on which every byte arrives some milliseconds after it was sent, in both directions: a client that is far
/// away. How much is under way at a time is not limited, as on a line that is long but not narrow.
final class DelayingProxy: Sendable {
  private let server: ServerSocket
  private let own: ServerSocket
  private let delay: Duration
  private let listener: Int32

  /// Listens in a folder inside of the server's.
  init(server: ServerSocket, delay: Duration) throws {
    self.server = server
    self.delay = delay
    own = ServerSocket(directory: server.directory + "/far", port: server.port)
    try? FileManager.default.removeItem(atPath: own.directory)
    try FileManager.default.createDirectory(
      atPath: own.directory,
      withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o700]
    )
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard unsafe Self.with(own.path, { unsafe bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0 else {
      throw BenchError.noProxy(unsafe String(cString: strerror(errno)))
    }
    Thread { [self] in acceptConnections() }.start()
  }

  /// What leads through it, as the superuser of a private server.
  var target: ConnectionTarget {
    get throws {
      // A backslash or quote in the path would end the value.
      let directory = own.directory.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
      return try ConnectionTarget(
        "host='\(directory)' hostaddr='' port='\(own.port)' user='postgres' dbname='postgres'"
      )
    }
  }

  /// Listens no more; connections last until one of their ends closes them.
  func close() {
    shutdown(listener, Int32(SHUT_RDWR))
    Foundation.close(listener)
    try? FileManager.default.removeItem(atPath: own.directory)
  }

  private func acceptConnections() {
    while true {
      let client = accept(listener, nil, nil)
      guard client >= 0 else { return }
      let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      guard unsafe Self.with(self.server.path, { unsafe connect(server, $0, $1) }) == 0 else {
        Foundation.close(server)
        Foundation.close(client)
        continue
      }
      let pair = SocketPair(client, server)
      DelayLine(from: client, to: server, delay: delay, pair).start()
      DelayLine(from: server, to: client, delay: delay, pair).start()
    }
  }

  /// Hands a Unix socket's address to `body`.
  private static func with(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    // Safe: the path of a private server's socket is shorter than an address's, and so is one of four bytes more.
    precondition(bytes.count < MemoryLayout.size(ofValue: address.sun_path), "the socket's path is too long")
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}

/// One direction of a connection.
private final class DelayLine: @unchecked Sendable {
  // Safe: the state is touched only between `lock()` and `unlock()` of the condition.
  private let condition = NSCondition()
  private var pieces: [(due: ContinuousClock.Instant, bytes: [UInt8])] = []
  private var hasEnded = false
  private let source: Int32
  private let sink: Int32
  private let delay: Duration
  private let pair: SocketPair

  init(from source: Int32, to sink: Int32, delay: Duration, _ pair: SocketPair) {
    self.source = source
    self.sink = sink
    self.delay = delay
    self.pair = pair
  }

  func start() {
    Thread { self.receive() }.start()
    Thread { self.deliver() }.start()
  }

  private func receive() {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = unsafe recv(source, &buffer, buffer.count, 0)
      condition.lock()
      if count > 0 { pieces.append((.now + delay, Array(buffer[..<count]))) } else { hasEnded = true }
      condition.signal()
      condition.unlock()
      guard count > 0 else { return }
    }
  }

  private func deliver() {
    while let piece = next() {
      let wait = (piece.due - .now) / .seconds(1)
      if wait > 0 { Thread.sleep(forTimeInterval: wait) }
      var sent = 0
      while sent < piece.bytes.count {
        let count = unsafe piece.bytes.withUnsafeBytes { bytes in
          unsafe send(sink, bytes.baseAddress?.advanced(by: sent), piece.bytes.count - sent, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return pair.finish() }
        sent += count
      }
    }
    pair.finish()
  }

  private func next() -> (due: ContinuousClock.Instant, bytes: [UInt8])? {
    condition.lock()
    defer { condition.unlock() }
    while pieces.isEmpty {
      guard !hasEnded else { return nil }
      condition.wait()
    }
    return pieces.removeFirst()
  }
}

/// Two sockets that are shut when one direction has ended, and closed when both have.
private final class SocketPair: @unchecked Sendable {
  // Safe: the count is touched only under the lock.
  private let lock = NSLock()
  private var endedDirections = 0
  private let first: Int32
  private let second: Int32

  init(_ first: Int32, _ second: Int32) {
    self.first = first
    self.second = second
  }

  func finish() {
    shutdown(first, Int32(SHUT_RDWR))
    shutdown(second, Int32(SHUT_RDWR))
    lock.lock()
    endedDirections += 1
    let ended = endedDirections
    lock.unlock()
    guard ended == 2 else { return }
    close(first)
    close(second)
  }
}
