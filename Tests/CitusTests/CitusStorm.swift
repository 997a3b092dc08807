import Foundation
import Libpq
import TestSupport
import TortureSupport

/// Merges on the nodes, and everything that can go wrong with them, for some time.
struct CitusStorm {
  /// What happened, for the record.
  struct Tally: CustomStringConvertible {
    var runs = 0
    var kills = 0
    var interrupts = 0
    var nodeRestarts = 0
    var coordinatorRestarts = 0
    var moves = 0
    var statuses: [Int32: Int] = [:]
    var changes = 0
    var loads = 0
    /// What a merge said when it ended in a way that nothing explains.
    var surprises: [String] = []

    var restarts: Int { nodeRestarts + coordinatorRestarts }

    var description: String {
      let statuses = statuses.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
      return "\(runs) merges, \(kills) kills, \(interrupts) SIGINT, \(nodeRestarts) restarts of nodes, "
        + "\(coordinatorRestarts) of the coordinator, \(moves) moves of shards, \(changes) changes by CDC, "
        + "\(loads) loads into staging; exit statuses \(statuses)"
    }
  }

  let cluster: CitusCluster
  let database: TestDatabase
  private(set) var tally = Tally()
  private var random: SeededGenerator

  init(_ cluster: CitusCluster, _ database: TestDatabase, seed: UInt64) {
    self.cluster = cluster
    self.database = database
    random = SeededGenerator(seed: seed)
  }

  /// Statuses that a disturbed merge may end with: done, with refused rows, unreachable, or signalled.
  private static let expectedStatuses: Set<Int32> = [0, 65, 69, 128 + SIGKILL, 128 + SIGINT]

  private enum Disturbance {
    case nothing, kill, interrupt, restart
  }

  /// Rages for so long, and on until there were so many kills, restarts and moves: how many merges fit into a time is up to the
  /// machine.
  mutating func rage(seconds: Double, kills: Int, restarts: Int, moves: Int) async throws {
    var disturberCount: UInt64 = 0
    func disturber(_ pauseSeconds: Double, _ statement: SQL) -> Disturber {
      disturberCount += 1
      return Disturber(
        database.target,
        seed: random.seed &+ disturberCount,
        pauseSeconds: pauseSeconds,
        greeting: CitusStormSchema.passOverNumbers,
        statement: statement
      )
    }
    // Fewer deletes than there are keys: of a deleted key nobody can say what its load has to come to.
    let writers = [
      disturber(0.001, "SELECT model.write_as_cdc(0.01)"), disturber(0.001, "SELECT model.write_as_cdc(0.01)"),
      disturber(0.001, "SELECT model.write_item_as_cdc(0.01)"), disturber(0.1, "SELECT model.delete_settled()"),
    ]
    // Rarely enough for merges to come to an end: each looks through the shards of two tables.
    let loaders = [
      disturber(3, "SELECT model.load_staging(250, 0.004)"), disturber(5, "SELECT model.load_items(500, 0.002)"),
    ]
    // Each move has the nodes begin another round, of which a run has five.
    let mover = disturber(12, CitusStormSchema.moveShard)
    let deadline = Date(timeIntervalSinceNow: seconds)
    var nextRestart = Date(timeIntervalSinceNow: min(seconds / 5, 20))
    while Date() < deadline || tally.kills < kills || tally.restarts < restarts || mover.count < moves {
      let restarts = Date() > nextRestart
      if restarts { nextRestart = Date(timeIntervalSinceNow: Double.random(in: 10...35, using: &random)) }
      try await disturbOneMerge(restarts ? .restart : disturbance())
    }
    tally.changes = writers.reduce(0) { $0 + $1.end() }
    tally.loads = loaders.reduce(0) { $0 + $1.end() }
    tally.moves = mover.end()
  }

  private mutating func disturbance() -> Disturbance {
    switch Int.random(in: 0..<8, using: &random) {
    case 0..<4: .kill
    case 4: .interrupt
    default: .nothing
    }
  }

  private mutating func disturbOneMerge(_ disturbance: Disturbance) async throws {
    let nodes = [cluster.coordinator] + cluster.workers
    try await MergesUnderWay.waitForTheirEnd(
      on: nodes.map { try ConnectionTarget($0.connectionString(database: database.name)) }
    )
    let batchRows = [20, 100, 700, 3000, 20_000].randomElement(using: &random) ?? 100
    let merge = try database.launch([
      "merge", "--on-nodes", "--quiet", "--batch", "\(batchRows)", "--reconnect-timeout", "20",
      "--workers", "\(Int.random(in: 1...4, using: &random))",
    ])
    tally.runs += 1
    try await Task.sleep(for: .milliseconds(Int.random(in: 20...1500, using: &random)))
    switch disturbance {
    case .nothing: break
    case .kill: merge.send(SIGKILL)
    case .interrupt:
      tally.interrupts += 1
      merge.send(SIGINT)
    case .restart:
      let node = Int.random(in: 0..<nodes.count, using: &random)
      tally.coordinatorRestarts += node == 0 ? 1 : 0
      tally.nodeRestarts += node == 0 ? 0 : 1
      try await nodes[node].restart(immediate: true)
    }
    // Where more is loaded than the machine can merge a merge would go on for as long as it may.
    let limit = Task {
      try await Task.sleep(for: .seconds(60))
      merge.send(SIGKILL)
    }
    defer { limit.cancel() }
    let outcome = try await merge.outcome()
    tally.statuses[outcome.status, default: 0] += 1
    if outcome.status == 128 + SIGKILL { tally.kills += 1 }
    // Somebody who loads or moves without end keeps a run from its end; then it says what is left.
    let saysWhatIsLeft =
      outcome.errors.contains("not merged yet") || outcome.errors.contains("has moved to another node")
    if outcome.status == 74 && saysWhatIsLeft { return }
    if !Self.expectedStatuses.contains(outcome.status) {
      tally.surprises.append("exit status \(outcome.status): \(outcome.errors)")
    }
  }
}
