import ArgumentParser
import MergeEngine

/// Whether every shard of tables that Citus has distributed is worked on by the node that has it.
struct NodesOption: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: """
      Production and staging are distributed by Citus, side by side: have every node work on its own shards, in place of the \
      coordinator on all of them.
      """
  )
  var onNodes: Bool?

  /// How the nodes are reached; nil where they have nothing to do.
  func addresses(_ context: CommandContext) -> NodeAddresses? {
    (onNodes ?? context.configuration.onNodes) == true ? NodeAddresses(context.configuration.citusNodes) : nil
  }
}
