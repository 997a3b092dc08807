/// What a merge on the nodes can't promise, since each node has transactions, counts and times of its own.
enum NodeLimits {
  /// - Throws: ``MergeFailure/usage(_:)``.
  static func require(_ options: MergeOptions, isSplit: Bool) throws(MergeFailure) {
    let refused: [(Bool, String, String)] = [
      (isSplit, "--staging-database", "staging has to lie beside production"),
      (options.atomic, "--atomic", "every node has transactions of its own"),
      (options.beforeImages, "--before-images", "what is overwritten would stay on the node when its shard is moved"),
      (
        options.cleanup, "--cleanup",
        "truncate staging on the coordinator when verify is through: TRUNCATE staging.orders"
      ),
      (options.maxErrors != nil, "--max-errors", "no node knows how many rows the others have refused"),
      (options.pauseWhile != nil, "--pause-while", "its query would be asked on every node"),
    ]
    guard let (_, flag, reason) = refused.first(where: \.0) else { return }
    throw .usage("\(flag) can't be used with --on-nodes: \(reason).")
  }
}
