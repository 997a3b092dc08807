/// A way to merge staging into production.
public enum Contender: Sendable, Hashable {
  /// merge-engine.
  case engine(workers: Int, marks: Bool)
  /// The guide's statements in one transaction; on staging as the guide makes it, or as `init` does.
  case guide(onOwnStaging: Bool)
  /// One MERGE statement, then the marks.
  case merge
  /// INSERT … ON CONFLICT DO UPDATE … WHERE newer, then the marks; side by side on key ranges when there are several
  /// connections.
  case onConflict(connections: Int)
  /// What no merge can do without: the bare inserts and updates, known beforehand; nothing read, compared or marked.
  case floor(connections: Int)

  /// A short name, unique within a run.
  public var name: String {
    switch self {
    case .engine(let workers, true): "engine, \(Self.counted(workers, "worker"))"
    case .engine(let workers, false): "engine, \(Self.counted(workers, "worker")), no marks"
    case .guide(onOwnStaging: true): "guide"
    case .guide(onOwnStaging: false): "guide on init's staging"
    case .merge: "MERGE"
    case .onConflict(1): "ON CONFLICT"
    case .onConflict(let connections): "ON CONFLICT, \(connections) connections"
    case .floor: "floor"
    }
  }

  /// The contenders of a run.
  ///
  /// - Parameters:
  ///   - connections: of the engine besides one and two, of the parallel statement and of the floor.
  ///   - serverVersionNumber: as PostgreSQL counts it; MERGE came with 15.
  static func all(connections: Int, serverVersionNumber: Int) -> [Contender] {
    let workers = Set([1, 2, connections]).sorted()
    return workers.map { .engine(workers: $0, marks: true) }
      + [.engine(workers: 2, marks: false), .guide(onOwnStaging: true), .guide(onOwnStaging: false)]
      + (serverVersionNumber >= 150_000 ? [.merge] : [])
      + [.onConflict(connections: 1)]
      + (connections > 1 ? [.onConflict(connections: connections)] : [])
      + [.floor(connections: connections)]
  }

  private static func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }
}
