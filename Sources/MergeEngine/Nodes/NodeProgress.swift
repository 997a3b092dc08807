/// What the nodes have done so far, summed over them and by table.
final class NodeProgress: Sendable {
  private let ofNodes = Monitor<[Int: (names: ShardNames, progress: RunProgress)]>([:])

  func note(_ progress: RunProgress, of node: Int, _ names: ShardNames) {
    ofNodes.update { $0[node] = (names, progress) }
  }

  /// What a node said last.
  func counts(of node: Int) -> [String: VerdictCounts] {
    ofNodes.update { nodes in
      guard let (names, progress) = nodes[node] else { return [:] }
      return progress.tables.reduce(into: [:]) { $0[names.table($1.table), default: VerdictCounts()] += $1.counts }
    }
  }

  /// - Parameter tables: the tables' names, in the order in which they are shown.
  func sum(_ tables: [String], since start: ContinuousClock.Instant, runID: Int?) -> RunProgress {
    let nodes = ofNodes.update { Array($0.values) }
    let sums = tables.map { name in
      let shards = nodes.flatMap { node in node.progress.tables.filter { node.names.table($0.table) == name } }
      var sum = TableProgress(table: name)
      sum.expectedRowCount =
        shards.contains { $0.expectedRowCount != nil }
        ? shards.reduce(0) { $0 + ($1.expectedRowCount ?? 0) } : nil
      for shard in shards {
        sum.counts += shard.counts
        sum.blocksDone += shard.blocksDone
        sum.blockCount += shard.blockCount
      }
      sum.elapsedMilliseconds = shards.compactMap(\.elapsedMilliseconds).max()
      sum.isFinished = !shards.isEmpty && shards.allSatisfy(\.isFinished)
      return sum
    }
    let pauses = Set(nodes.compactMap(\.progress.pauseReason)).sorted()
    return RunProgress(
      sums,
      since: start,
      runID: runID,
      pauseReason: pauses.isEmpty ? nil : pauses.joined(separator: "; ")
    )
  }
}
