import Foundation
import Synchronization

/// Forwards TCP connections to a server, until it is told to cut them.
final class CuttingProxy: Sendable {
  let port: Int
  private let listener: Int32
  private let serverPort: Int
  private let open = Mutex<Set<Int32>>([])

  /// Listens on a free loopback port.
  init(serverPort: Int) throws {
    self.serverPort = serverPort
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    self.listener = listener
    var address = Self.loopback(port: 0)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(listener, $0, size) }
    }
    guard bound == 0, listen(listener, 64) == 0 else { throw ProxyError.cannotListen }
    var length = size
    _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(listener, $0, &length) }
    }
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread { [self] in acceptConnections() }.start()
  }

  enum ProxyError: Error {
    case cannotListen
  }

  /// Breaks every connection there is, in the middle of whatever it carries.
  func cutAll() {
    open.withLock { descriptors in
      for descriptor in descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  /// Stops listening, and cuts.
  func close() {
    shutdown(listener, Int32(SHUT_RDWR))
    cutAll()
  }

  private func acceptConnections() {
    while true {
      let client = accept(listener, nil, nil)
      guard client >= 0 else { return }
      let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = Self.loopback(port: serverPort)
      let connected = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard connected == 0 else {
        Foundation.close(server)
        Foundation.close(client)
        continue
      }
      open.withLock { $0.formUnion([client, server]) }
      let pair = OpenPair(first: client, second: server) { [self] in
        open.withLock { $0.subtract([client, server]) }
      }
      Thread { Self.pump(from: client, to: server, pair) }.start()
      Thread { Self.pump(from: server, to: client, pair) }.start()
    }
  }

  private static func pump(from source: Int32, to sink: Int32, _ pair: OpenPair) {
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      let received = unsafe recv(source, &buffer, buffer.count, 0)
      guard received > 0 else { break }
      var sent = 0
      while sent < received {
        let count = unsafe buffer.withUnsafeBytes { bytes in
          unsafe send(sink, bytes.baseAddress?.advanced(by: sent), received - sent, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return pair.finish() }
        sent += count
      }
    }
    pair.finish()
  }

  private static func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}

/// Two sockets that are closed once, when both directions have ended.
private final class OpenPair: Sendable {
  private let endedDirections = Mutex(0)
  private let first: Int32
  private let second: Int32
  private let forget: @Sendable () -> Void

  init(first: Int32, second: Int32, forget: @escaping @Sendable () -> Void) {
    self.first = first
    self.second = second
    self.forget = forget
  }

  func finish() {
    shutdown(first, Int32(SHUT_RDWR))
    shutdown(second, Int32(SHUT_RDWR))
    let ended = endedDirections.withLock { count in
      count += 1
      return count
    }
    guard ended == 2 else { return }
    forget()
    close(first)
    close(second)
  }
}
