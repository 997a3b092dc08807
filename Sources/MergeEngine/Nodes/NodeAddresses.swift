import Libpq

/// How nodes are reached whose names mean nothing here: the cluster's catalog has its own view of them.
package struct NodeAddresses: Sendable {
  /// By the cluster's `name:port`.
  private let addresses: [String: Address]

  /// A server's host, or the folder of its socket, and its port.
  package struct Address: Sendable {
    let host: String
    let port: Int

    /// Reads `host:port`; an IPv6 address stands in brackets.
    ///
    /// - Returns: nil for anything else.
    package init?(_ text: String) {
      guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
        (1...65_535).contains(port)
      else { return nil }
      let host = text[..<colon]
      guard !host.isEmpty else { return nil }
      self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
      self.port = port
    }
  }

  /// - Parameter addresses: by the cluster's `name:port`; nodes that are not in it are reached as the cluster calls them.
  package init(_ addresses: [String: Address] = [:]) {
    self.addresses = addresses
  }

  /// Where a node is reached, with the login and the database of the coordinator.
  func target(of node: CitusNode, _ coordinator: ConnectionTarget) throws(MergeFailure) -> ConnectionTarget {
    let address = addresses[node.description]
    do {
      return try coordinator.server(
        host: address?.host ?? node.name,
        port: address?.port ?? node.port,
        startOptions: CitusNode.startOptions
      )
    } catch {
      throw .usage("node \(node) can't be reached: \(error.message).")
    }
  }
}
