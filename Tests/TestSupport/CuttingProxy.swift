import Foundation
import Synchronization

/// Forwards TCP connections to a server, until it is told to cut them.
public final class CuttingProxy: Sendable {
  /// Where a connection is cut by itself: once, at the first bytes that hold a text.
  public struct Cut: Sendable {
    /// What the bytes hold.
    let text: [UInt8]
    /// Whether it is the client that sends them.
    let isFromClient: Bool
    /// Whether the bytes up to the end of the text are still forwarded.
    let forwardsText: Bool

    /// Cuts before anything of the piece that the client sends is forwarded.
    public static func whenClientSends(_ text: String) -> Cut {
      Cut(text: Array(text.utf8), isFromClient: true, forwardsText: false)
    }

    /// Cuts in the middle of what is sent, right behind the text.
    public static func behind(_ text: String, fromClient: Bool) -> Cut {
      Cut(text: Array(text.utf8), isFromClient: fromClient, forwardsText: true)
    }
  }

  /// Where it listens, on 127.0.0.1.
  public let port: Int
  private let listener: Int32
  private let serverPort: Int
  private let open = Mutex<Set<Int32>>([])
  private let frozen = Mutex<Set<Int32>>([])
  private let pendingCut = Mutex<Cut?>(nil)
  private let acceptedCount = Mutex(0)
  private let isDisguising = Mutex(false)
  private let isRefusingOptions = Mutex(false)

  /// Listens on a free loopback port.
  public init(serverPort: Int) throws {
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

  /// It can't be had.
  public enum ProxyError: Error {
    /// No port.
    case cannotListen
  }

  /// From now on the first connection that carries it is cut.
  public func arm(_ cut: Cut) { pendingCut.withLock { $0 = cut } }

  /// Whether the cut has come to pass, or none was asked for.
  public var hasCut: Bool { pendingCut.withLock { $0 == nil } }

  /// How many connections were accepted so far.
  public var connectionCount: Int { acceptedCount.withLock { $0 } }

  /// From now on clients are told other process ids than their sessions have, as a pooler does.
  public func disguiseBackends() { isDisguising.withLock { $0 = true } }

  /// From now on clients that ask for settings when they connect are refused, as a pooler does.
  public func refuseOptions() { isRefusingOptions.withLock { $0 = true } }

  /// From now on nothing gets through on the connections there are, and neither side hears that the other is gone: a
  /// network that was split. New connections work.
  public func freezeAll() {
    let descriptors = open.withLock { $0 }
    frozen.withLock { $0.formUnion(descriptors) }
  }

  /// Breaks every connection there is, in the middle of whatever it carries.
  public func cutAll() {
    open.withLock { descriptors in
      for descriptor in descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  /// Stops listening, and cuts.
  public func close() {
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
      for end in [client, server] { Self.sendAtOnce(end) }
      acceptedCount.withLock { $0 += 1 }
      open.withLock { $0.formUnion([client, server]) }
      let pair = OpenPair(first: client, second: server) { [self] in
        open.withLock { $0.subtract([client, server]) }
      }
      Thread { self.pump(from: client, to: server, isFromClient: true, pair) }.start()
      Thread { self.pump(from: server, to: client, isFromClient: false, pair) }.start()
    }
  }

  /// As client and server do: two small messages in a row would wait 40 ms for an acknowledgement.
  private static func sendAtOnce(_ end: Int32) {
    var isOn: Int32 = 1
    unsafe setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
  }

  private func pump(from source: Int32, to sink: Int32, isFromClient: Bool, _ pair: OpenPair) {
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      var received = unsafe recv(source, &buffer, buffer.count, 0)
      // The descriptors of a frozen pair stay open, so that neither side is told anything.
      if frozen.withLock({ $0.contains(source) }) {
        guard received > 0 else { return }
        continue
      }
      guard received > 0 else { break }
      if isFromClient, isRefusingOptions.withLock({ $0 }),
        buffer[..<received].firstRange(of: Array("\0options\0".utf8)) != nil
      {
        let refusal = Self.refusal
        _ = unsafe refusal.withUnsafeBytes { unsafe send(source, $0.baseAddress, refusal.count, Int32(MSG_NOSIGNAL)) }
        break
      }
      if !isFromClient, isDisguising.withLock({ $0 }) { disguiseBackend(in: &buffer[..<received]) }
      let kept = byteCountBeforeCut(buffer[..<received], isFromClient: isFromClient)
      received = kept ?? received
      var sent = 0
      while sent < received {
        let count = unsafe buffer.withUnsafeBytes { bytes in
          unsafe send(sink, bytes.baseAddress?.advanced(by: sent), received - sent, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return pair.finish() }
        sent += count
      }
      if kept != nil { break }
    }
    pair.finish()
  }

  /// ErrorResponse: `E`, the length in four bytes, fields that end with NUL, and NUL.
  private static let refusal: [UInt8] = {
    let fields = Array("SFATAL\0C08P01\0Munsupported startup parameter: options\0\0".utf8)
    return [UInt8(ascii: "E"), 0, 0, 0, UInt8(fields.count + 4)] + fields
  }()

  /// BackendKeyData: `K`, the length in four bytes, the process id in four.
  private func disguiseBackend(in piece: inout ArraySlice<UInt8>) {
    guard let range = piece.firstRange(of: [UInt8(ascii: "K"), 0, 0, 0]), range.upperBound + 4 < piece.endIndex else {
      return
    }
    piece[range.upperBound + 1] ^= 0x40
  }

  /// - Returns: nil when the piece does not hold what is to be cut.
  private func byteCountBeforeCut(_ piece: ArraySlice<UInt8>, isFromClient: Bool) -> Int? {
    pendingCut.withLock { pending in
      guard let cut = pending, cut.isFromClient == isFromClient, let range = piece.firstRange(of: cut.text) else {
        return nil
      }
      pending = nil
      return cut.forwardsText ? range.upperBound : 0
    }
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
