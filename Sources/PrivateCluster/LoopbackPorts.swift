import Foundation

/// Ports of 127.0.0.1 to try, at random, none of them twice.
///
/// Nobody can reserve a port for a server that is yet to start: one that is free now may be another's a moment later, and of
/// many servers that start at once some do meet.
struct LoopbackPorts {
  private let range: Range<Int>
  private var tried: Set<Int> = []
  /// Who meets others this often meets a machine without free ports. Arbitrary.
  private static let mostTries = 20

  init(_ range: Range<Int>) {
    self.range = range
  }

  /// - Returns: nil when none is left, or too many were tried.
  mutating func next() -> Int? {
    guard tried.count < min(range.count, Self.mostTries) else { return nil }
    while true {
      let port = Int.random(in: range)
      if tried.insert(port).inserted { return port }
    }
  }

  /// Whether somebody listens there, asked as a server would.
  static func isTaken(_ port: Int) -> Bool {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard listener >= 0 else { return false }
    defer { close(listener) }
    // As PostgreSQL does: what a server left that has just ended is in nobody's way.
    var reuse: Int32 = 1
    unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = unsafe withUnsafePointer(to: address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe bind(listener, address, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return result != 0 && errno == EADDRINUSE
  }
}
