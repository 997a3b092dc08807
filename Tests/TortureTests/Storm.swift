import Foundation
import Libpq
import PrivateCluster
import TestSupport

/// Merges, and everything that can go wrong with them, for some time.
struct Storm {
  /// What happened, for the record.
  struct Tally: CustomStringConvertible {
    var runs = 0
    var kills = 0
    var terminations = 0
    var cuts = 0
    var restarts = 0
    var busy = 0
    var statuses: [Int32: Int] = [:]
    var changes = 0
    var loads = 0
    var rewrites = 0
    /// What a merge said when it ended in a way that nothing explains.
    var surprises: [String] = []

    var description: String {
      let statuses = statuses.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
      return "\(runs) merges, \(kills) kills, \(terminations) SIGTERM, \(cuts) cut lines, \(restarts) server restarts, "
        + "\(busy) refused as busy, \(changes) changes by CDC, \(loads) loads into staging, \(rewrites) rewrites; exit statuses \(statuses)"
    }
  }

  let cluster: PrivateCluster
  let proxy: CuttingProxy
  let direct: String
  let proxied: String
  private(set) var tally = Tally()
  private var random: SeededGenerator

  init(_ cluster: PrivateCluster, _ proxy: CuttingProxy, direct: String, proxied: String, seed: UInt64) {
    self.cluster = cluster
    self.proxy = proxy
    self.direct = direct
    self.proxied = proxied
    random = SeededGenerator(seed: seed)
  }

  /// Statuses that a disturbed merge may end with: done, with refused rows, unreachable, or signalled.
  private static let expectedStatuses: Set<Int32> = [0, 65, 69, 128 + SIGKILL, 128 + SIGTERM]

  /// Rages for so long, and on until it has killed and restarted so often: how many merges fit into a time is up to the
  /// machine.
  mutating func rage(seconds: Double, kills: Int, restarts: Int) async throws {
    let target = try ConnectionTarget(direct)
    var disturberCount: UInt64 = 0
    func disturber(_ pauseSeconds: Double, _ statement: SQL) -> Disturber {
      disturberCount += 1
      return Disturber(target, seed: random.seed &+ disturberCount, pauseSeconds: pauseSeconds, statement: statement)
    }
    let writers = [
      disturber(0.001, "SELECT model.write_as_cdc(0.1)"), disturber(0.001, "SELECT model.write_as_cdc(0.1)"),
      disturber(0.001, "SELECT model.write_item_as_cdc(0.1)"),
    ]
    // Slowly enough for the smallest batches: a run that can't keep up goes on for as long as it may.
    let loaders = [
      disturber(1, "SELECT model.load_staging(250, 0.004)"), disturber(4, "SELECT model.load_items(500, 0.002)"),
      disturber(0.5, "SELECT model.change_item()"),
    ]
    let rewriters = [
      disturber(6, "VACUUM FULL staging.items"), disturber(9, "VACUUM FULL production.items"),
      disturber(4, "VACUUM FREEZE staging.orders"),
    ]
    let deadline = Date(timeIntervalSinceNow: seconds)
    var nextRestart = Date(timeIntervalSinceNow: min(seconds / 5, 20))
    while Date() < deadline || tally.kills < kills || tally.restarts < restarts {
      let restarts = Date() > nextRestart
      if restarts { nextRestart = Date(timeIntervalSinceNow: Double.random(in: 15...45, using: &random)) }
      try await disturbOneMerge(restarts: restarts)
    }
    tally.changes = writers.reduce(0) { $0 + $1.end() }
    tally.loads = loaders.reduce(0) { $0 + $1.end() }
    tally.rewrites = rewriters.reduce(0) { $0 + $1.end() }
  }

  /// Starts a merge that can be killed.
  static func merge(_ arguments: [String], _ database: String) throws -> CommandLineProgram {
    try CommandLineProgram(arguments + ["--quiet"], environment: ["DATABASE_URL": database])
  }

  private mutating func disturbOneMerge(restarts: Bool) async throws {
    var arguments = [
      "--batch", "\([20, 100, 700, 3000, 20_000].randomElement(using: &random) ?? 100)",
      "--workers", "\(Int.random(in: 1...4, using: &random))", "--reconnect-timeout", "20",
    ]
    if Int.random(in: 0..<4, using: &random) == 0 { arguments += ["--ties", "compare"] }
    if Int.random(in: 0..<8, using: &random) == 0 { arguments.append("--before-images") }
    let isProxied = Bool.random(using: &random)
    let database = isProxied ? proxied : direct
    try await waitUntilNobodyHoldsLocks()
    let merge = try Self.merge(arguments, database)
    let rival = Int.random(in: 0..<6, using: &random) == 0 ? try Self.merge(arguments, direct) : nil
    tally.runs += rival == nil ? 1 : 2
    try await Task.sleep(for: .milliseconds(Int.random(in: 20...900, using: &random)))
    if restarts {
      tally.restarts += 1
      try await cluster.restart(immediate: true)
    } else {
      disturb(merge, isProxied: isProxied)
    }
    for process in [merge, rival].compactMap({ $0 }) { note(try await process.outcome(), hasRival: rival != nil) }
  }

  /// The server may need a moment to notice that a killed merge is gone: then the next one would be refused rightly.
  private func waitUntilNobodyHoldsLocks() async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      let isFree = try? Connection(to: ConnectionTarget(direct), applicationName: "torture") { _ in }
        .query(
          "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'merge-engine control')",
          "looking for merges"
        ).bool(0, 0)
      if isFree == true { return }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private mutating func disturb(_ merge: CommandLineProgram, isProxied: Bool) {
    guard merge.isRunning else { return }
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4:
      tally.kills += 1
      merge.send(SIGKILL)
    case 4:
      tally.terminations += 1
      merge.send(SIGTERM)
    case 5..<7:
      guard isProxied else { return }
      tally.cuts += 1
      proxy.cutAll()
    default: break
    }
  }

  private mutating func note(_ end: CommandLineProgram.Outcome, hasRival: Bool) {
    tally.statuses[end.status, default: 0] += 1
    if end.status == 75 { tally.busy += 1 }
    if end.status == 75 && hasRival { return }
    // Somebody who loads or rewrites without end keeps a run from its end; then it says what is left.
    let saysWhatIsLeft = end.errors.contains("not merged yet") || end.errors.contains("rewritten or truncated")
    if end.status == 74 && saysWhatIsLeft { return }
    if !Self.expectedStatuses.contains(end.status) {
      tally.surprises.append("exit status \(end.status): \(end.errors)")
    }
  }
}
