/// Does something on every node at the same time, each on a thread of its own.
enum NodeThreads {
  /// - Parameters:
  ///   - whileWaiting: called on this thread a few times a second.
  ///   - body: what is done on a node, with the node's place in the list.
  /// - Returns: what came of it, in the order of the nodes; a node that fails keeps no other one from its work.
  static func run<Value: Sendable>(
    _ shares: [NodeShare],
    whileWaiting: () -> Void = {},
    _ body: @escaping @Sendable (Int, NodeShare) throws -> Value
  ) throws -> [Result<Value, any Error>] {
    let results = try WorkerThreads.run(count: shares.count, whileWaiting: whileWaiting) { number in
      (number, Result { try body(number - 1, shares[number - 1]) })
    }
    return results.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
