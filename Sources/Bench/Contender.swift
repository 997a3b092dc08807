import Libpq

/// A way to merge staging into production.
package enum Contender: Sendable, Hashable {
  /// merge-engine; with marks on staging that has a status column.
  case engine(workers: Int, marks: Bool)
  /// merge-engine, which finds the number of workers by itself.
  case engineAuto
  /// The guide's statements in one transaction; on staging as the guide makes it, or as `init` does.
  case guide(onOwnStaging: Bool)
  /// One MERGE statement, then the marks.
  case merge
  /// INSERT … ON CONFLICT DO UPDATE … WHERE newer, then the marks; side by side on key ranges when there are several
  /// connections.
  case onConflict(connections: Int, marks: Bool)
  /// The same of only those rows that a join finds new or newer, so that no equal row is locked.
  case onConflictJoined
  /// What no merge can do without: the bare inserts and updates, known beforehand; nothing read, compared or marked.
  case floor(connections: Int)

  /// `verify`, of a workload that is verified.
  case verify(workers: Int)
  /// The same question as one statement: a FULL JOIN of both tables.
  case fullJoin

  /// A short name, unique within a run.
  package var name: String {
    switch self {
    case .engine(let workers, let marks): "engine, \(Self.counted(workers, "worker"))\(marks ? ", marks" : "")"
    case .engineAuto: "engine, auto"
    case .guide(onOwnStaging: true): "guide"
    case .guide(onOwnStaging: false): "guide on init's staging"
    case .merge: "MERGE"
    case .onConflict(1, let marks): "ON CONFLICT\(marks ? "" : Self.unmarked)"
    case .onConflict(let connections, let marks): "ON CONFLICT, \(connections) connections\(marks ? "" : Self.unmarked)"
    case .onConflictJoined: "ON CONFLICT, joined first"
    case .floor(let connections): "floor, \(Self.counted(connections, "connection"))"
    case .verify(let workers): "verify, \(Self.counted(workers, "worker"))"
    case .fullJoin: "FULL JOIN"
    }
  }

  /// Whether it is the engine, whose client does work of its own.
  package var isEngine: Bool {
    switch self {
    case .engine, .engineAuto, .verify: true
    default: false
    }
  }
  /// Whether it compares and writes nothing.
  var isVerification: Bool {
    switch self {
    case .verify, .fullJoin: true
    default: false
    }
  }
  /// Whether it only does what no merge can do without.
  package var isFloor: Bool { if case .floor = self { true } else { false } }

  /// Whether staging rows are marked.
  var marksRows: Bool {
    switch self {
    case .engine(_, let marks), .onConflict(_, let marks): marks
    case .guide, .merge, .onConflictJoined: true
    case .engineAuto, .floor, .verify, .fullJoin: false
    }
  }

  /// Whether it runs without being asked for. What ON CONFLICT's marks cost, and its locks on equal rows, shows where
  /// there are such rows; elsewhere the time is better spent.
  func isUsual(on workload: Workload) -> Bool {
    guard canRun(on: workload) else { return false }
    return switch self {
    case .onConflict(_, marks: false), .onConflictJoined: workload == .mixed || workload == .reload
    // Where most of the time is waiting the number matters.
    case .engineAuto: workload.isCold || workload.delayMilliseconds != nil
    default: true
    }
  }

  /// Whether it gets to an end there: a statement fails as a whole with the first row that is refused.
  func canRun(on workload: Workload) -> Bool {
    guard isVerification == workload.isVerified else { return false }
    return workload != .refusals || isEngine || isFloor
  }

  /// The schema whose staging table it merges.
  var stagingSchema: Identifier {
    guard marksRows else { return WorkloadSQL.staging }
    return self == .guide(onOwnStaging: true) ? WorkloadSQL.guideStaging : WorkloadSQL.markedStaging
  }

  /// The contenders of a run.
  ///
  /// - Parameters:
  ///   - connections: of the engine and of the floor besides the fewer ones, and of the parallel statement.
  ///   - serverVersionNumber: as PostgreSQL counts it; MERGE came with 15.
  package static func all(connections: Int, serverVersionNumber: Int) -> [Contender] {
    let workers = Set([1, 2, connections]).sorted()
    let writers = Set([2, connections]).sorted()
    return workers.map { .engine(workers: $0, marks: false) }
      + [.engineAuto, .engine(workers: 2, marks: true), .guide(onOwnStaging: true), .guide(onOwnStaging: false)]
      + (serverVersionNumber >= 150_000 ? [.merge] : [])
      + [.onConflict(connections: 1, marks: true), .onConflict(connections: 1, marks: false), .onConflictJoined]
      + (connections > 1 ? [.onConflict(connections: connections, marks: true)] : [])
      + writers.map { .floor(connections: $0) } + [.verify(workers: 1), .verify(workers: 2), .fullJoin]
  }

  private static let unmarked = ", no marks"

  private static func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }
}
