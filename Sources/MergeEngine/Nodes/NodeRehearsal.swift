import Libpq
import Logging

/// Looks on all nodes for what stands against the merge, before anything is written on one of them.
struct NodeRehearsal {
  let logger: Logger
  let stop: StopSignal

  /// - Throws: ``MergeFailure/blocked(_:)`` with what was found on all nodes; ``MergeFailure/unreachable(_:)`` when a node is.
  func require(_ shares: [NodeShare]) throws {
    var blockers: [Finding] = []
    for result in try NodeThreads.run(shares, { [self] _, share in try look(share) }) {
      do {
        _ = try result.get()
      } catch MergeFailure.blocked(let findings) {
        blockers += findings
      }
    }
    guard blockers.isEmpty else { throw MergeFailure.blocked(blockers.withoutRepetitions) }
  }

  private func look(_ share: NodeShare) throws {
    var quiet = logger
    quiet.logLevel = .critical
    let session = Session(target: share.target, stagingTarget: nil, options: share.options, logger: quiet)
    let connection = try session.reachControl()
    try requireNode(share, connection)
    do {
      try stop.covering(connection) {
        let plan = try Preparation(options: share.options, logger: quiet, stop: stop)
          .plan(production: connection, staging: connection)
        let denied = try AdminAccess(options: share.options, plan: plan, connection: connection).findings()
        guard denied.isEmpty else { throw MergeFailure.blocked(denied) }
      }
    } catch MergeFailure.blocked(let findings) {
      throw MergeFailure.blocked(findings.map { ofNode($0, share) })
    }
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` when its address leads to another server.
  func requireNode(_ share: NodeShare) throws {
    let session = Session(target: share.target, stagingTarget: nil, options: share.options, logger: logger)
    try requireNode(share, try session.reachControl())
  }

  private func requireNode(_ share: NodeShare, _ connection: Connection) throws {
    guard try !share.node.isAt(connection) else { return }
    throw MergeFailure.blocked([
      .blocker(
        nil,
        "\(share.target) is not node \(share.node) of the cluster. Correct citus_nodes in the configuration file."
      )
    ])
  }

  /// What every node says alike is said once; what is the matter with one node names it.
  private func ofNode(_ finding: Finding, _ share: NodeShare) -> Finding {
    let finding = share.names.clean(finding)
    guard finding.table == nil, finding.grade == .blocker else { return finding }
    return .blocker(finding.kind, nil, "node \(share.node): \(finding.message)")
  }
}
