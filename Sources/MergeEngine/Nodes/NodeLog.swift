import Logging
import Synchronization

/// Passes on what the merge of a node logs, with the names of the tables in place of their shards', and what is said of every shard
/// only once.
struct NodeLog: LogHandler {
  private let receiver: Logger
  private let names: ShardNames
  private let seen: Seen
  var metadata: Logger.Metadata
  var logLevel: Logger.Level

  private final class Seen: Sendable {
    let warnings = Mutex(Set<String>())
  }

  /// The logger for the merge of a node.
  static func logger(_ share: NodeShare, _ receiver: Logger) -> Logger {
    var logger = Logger(label: receiver.label) { _ in
      NodeLog(receiver: receiver, names: share.names, seen: Seen(), metadata: [:], logLevel: receiver.logLevel)
    }
    logger[metadataKey: "node"] = "\(share.node)"
    return logger
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
    if let table = fields["table"] { fields["table"] = "\(names.table("\(table)"))" }
    let message = names.clean("\(event.message)")
    if event.level == .warning {
      let said = "\(message) \(fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })"
      guard seen.warnings.withLock({ $0.insert(said).inserted }) else { return }
    }
    receiver.log(level: event.level, "\(message)", metadata: fields)
  }
}
