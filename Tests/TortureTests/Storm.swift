import Foundation
import Libpq
import PrivateCluster
import TestSupport
import TortureSupport

/// Merges, and everything that can go wrong with them, for some time.
struct Storm {
  /// What happened, for the record.
  struct Tally: CustomStringConvertible {
    var runs = 0
    var kills = 0
    var terminations = 0
    var cuts = 0
    var frozenClients = 0
    var frozenLines = 0
    var rollbacks = 0
    var remoteRuns = 0
    var restarts = 0
    var busy = 0
    var statuses: [Int32: Int] = [:]
    var changes = 0
    var loads = 0
    /// What was done to staging and production meanwhile, by statement.
    var rewrites: [String: Int] = [:]
    /// What a merge said when it ended in a way that nothing explains.
    var surprises: [String] = []

    var description: String {
      let statuses = statuses.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
      let rewrites = rewrites.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")
      return "\(runs) merges, \(remoteRuns) of them from another database, \(rollbacks) rollbacks, \(kills) kills, "
        + "\(terminations) SIGTERM, \(cuts) cut lines, \(frozenClients) clients and \(frozenLines) lines that stood still, "
        + "\(restarts) server restarts, \(busy) refused as busy, \(changes) changes by CDC, \(loads) loads into staging, "
        + "\(rewrites); exit statuses \(statuses)"
    }
  }

  let cluster: PrivateCluster
  let proxy: CuttingProxy
  let direct: String
  let proxied: String
  /// The database with staging of `remote`.
  let remote: String
  private(set) var tally = Tally()
  private var random: SeededGenerator

  init(_ cluster: PrivateCluster, _ proxy: CuttingProxy, direct: String, proxied: String, remote: String, seed: UInt64)
  {
    self.cluster = cluster
    self.proxy = proxy
    self.direct = direct
    self.proxied = proxied
    self.remote = remote
    random = SeededGenerator(seed: seed)
  }

  /// What happens to the tables while they are merged, with the seconds between two times. Rarely enough for merges to come
  /// to an end at all.
  private static let rewriting: [(pauseSeconds: Double, statement: SQL)] = [
    (6, "VACUUM FULL staging.items"), (9, "VACUUM FULL production.items"), (4, "VACUUM FREEZE staging.orders"),
    (8, "CLUSTER staging.items USING items_id"), (5, "REINDEX TABLE staging.items"),
    (25, "SELECT model.truncate_items()"), (0.5, "SELECT model.change_item()"), (0.7, "SELECT model.delete_item()"),
  ]

  /// Statuses that a disturbed merge may end with: done, with refused rows, unreachable, or signalled.
  private static let expectedStatuses: Set<Int32> = [0, 65, 69, 128 + SIGKILL, 128 + SIGTERM]

  /// Rages for so long, and on until it has killed and restarted so often: how many merges fit into a time is up to the
  /// machine.
  mutating func rage(seconds: Double, kills: Int, restarts: Int) async throws {
    let (target, remoteTarget) = (try ConnectionTarget(direct), try ConnectionTarget(remote))
    var disturberCount: UInt64 = 0
    func disturber(_ pauseSeconds: Double, _ statement: SQL, of target: ConnectionTarget) -> Disturber {
      disturberCount += 1
      return Disturber(target, seed: random.seed &+ disturberCount, pauseSeconds: pauseSeconds, statement: statement)
    }
    let writers = [
      disturber(0.001, "SELECT model.write_as_cdc(0.1)", of: target),
      disturber(0.001, "SELECT model.write_as_cdc(0.1)", of: target),
      disturber(0.001, "SELECT model.write_item_as_cdc(0.1)", of: target),
      disturber(0.005, "SELECT model.change_key_of_item_as_cdc()", of: target),
      disturber(0.02, "SELECT model.write_tree_as_cdc()", of: target),
    ]
    // Slowly enough for the smallest batches: a run that can't keep up goes on for as long as it may.
    let loaders = [
      disturber(1, "SELECT model.load_staging(250, 0.004)", of: target),
      disturber(4, "SELECT model.load_items(500, 0.002)", of: target),
      disturber(3, "SELECT model.load_tree(40)", of: target),
      disturber(2, "SELECT model.load_remote(150)", of: remoteTarget),
    ]
    let rewriters = Self.rewriting.map { disturber($0.pauseSeconds, $0.statement, of: target) }
    let deadline = Date(timeIntervalSinceNow: seconds)
    var nextRestart = Date(timeIntervalSinceNow: min(seconds / 5, 20))
    while Date() < deadline || tally.kills < kills || tally.restarts < restarts {
      let restarts = Date() > nextRestart
      if restarts { nextRestart = Date(timeIntervalSinceNow: Double.random(in: 10...35, using: &random)) }
      try await disturbOneMerge(restarts: restarts)
    }
    tally.changes = writers.reduce(0) { $0 + $1.end() }
    tally.loads = loaders.reduce(0) { $0 + $1.end() }
    for (rewriter, (_, statement)) in zip(rewriters, Self.rewriting) { tally.rewrites[statement.text] = rewriter.end() }
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
    if Int.random(in: 0..<4, using: &random) == 0 { arguments.append("--before-images") }
    if Int.random(in: 0..<5, using: &random) == 0 {
      tally.remoteRuns += 1
      arguments += ["--table", "remote", "--staging-database", remote]
    } else if Int.random(in: 0..<5, using: &random) == 0, let run = try? runToTakeBack() {
      tally.rollbacks += 1
      // The others' counts are held to those of their rows.
      arguments = ["rollback", "\(run)", "--table", "items"]
    }
    let isProxied = Bool.random(using: &random)
    let database = isProxied ? proxied : direct
    try await MergesUnderWay.waitForTheirEnd(on: [ConnectionTarget(direct)])
    let merge = try Self.merge(arguments, database)
    let rival = Int.random(in: 0..<6, using: &random) == 0 ? try Self.merge(arguments, direct) : nil
    tally.runs += rival == nil ? 1 : 2
    try await Task.sleep(for: .milliseconds(Int.random(in: 20...900, using: &random)))
    if restarts {
      tally.restarts += 1
      try await cluster.restart(immediate: true)
    } else {
      try await disturb(merge, isProxied: isProxied)
    }
    for process in [merge, rival].compactMap({ $0 }) {
      // Where more is loaded than the machine can merge a merge would go on for as long as it may.
      let limit = Task {
        try await Task.sleep(for: .seconds(20))
        process.send(SIGKILL)
      }
      defer { limit.cancel() }
      let outcome = try await process.outcome()
      if outcome.status == 128 + SIGKILL { tally.kills += 1 }
      note(outcome, hasRival: rival != nil)
    }
  }

  /// A run that has before-images of `items` and is over.
  private func runToTakeBack() throws -> Int? {
    try Connection(to: ConnectionTarget(direct), applicationName: "torture") { _ in }
      .query(
        """
        SELECT max(b.run_id) FROM admin.before_images AS b JOIN admin.merge_summary AS m ON m.id = b.run_id
        WHERE b.table_name = 'items' AND b.dropped_at IS NULL AND m.status IN ('SUCCESS', 'PARTIAL', 'FAILED', 'ABORTED')
        """,
        "looking for a run to take back"
      ).integer(0, 0)
  }

  private mutating func disturb(_ merge: CommandLineProgram, isProxied: Bool) async throws {
    guard merge.isRunning else { return }
    switch Int.random(in: 0..<12, using: &random) {
    case 0..<5: merge.send(SIGKILL)
    case 5:
      tally.terminations += 1
      merge.send(SIGTERM)
    case 6..<8:
      guard isProxied else { return }
      tally.cuts += 1
      proxy.cutAll()
    case 8:
      tally.frozenClients += 1
      let isKilled = Bool.random(using: &random)
      merge.send(SIGSTOP)
      try await standStill()
      merge.send(isKilled ? SIGKILL : SIGCONT)
    case 9:
      guard isProxied else { return }
      tally.frozenLines += 1
      proxy.freezeAll()
      try await standStill()
      proxy.cutAll()
    default: break
    }
  }

  /// Waits, now and then for longer than the server has patience with clients that say nothing, and notes when that was.
  private mutating func standStill() async throws {
    let isLong = Int.random(in: 0..<8, using: &random) == 0
    let seconds = isLong ? 33 : Double.random(in: 0.5...4, using: &random)
    let start = Date()
    try await Task.sleep(for: .seconds(seconds))
    let elapsed = Date().timeIntervalSince(start)
    _ = try Connection(to: ConnectionTarget(direct), applicationName: "torture") { _ in }
      .query(
        // Sessions end a moment later.
        "INSERT INTO model.freezes SELECT n - $1 * interval '1 ms', n + interval '2 s' FROM clock_timestamp() AS n",
        [.bigint(Int(elapsed * 1000) + 100)],
        "noting that something stood still"
      )
  }

  private mutating func note(_ end: CommandLineProgram.Outcome, hasRival: Bool) {
    tally.statuses[end.status, default: 0] += 1
    if end.status == 75 { tally.busy += 1 }
    if end.status == 75 && hasRival { return }
    // The rival has taken the table back.
    if end.status == 73 && hasRival && end.errors.contains("were dropped at") { return }
    // Somebody who loads or rewrites without end keeps a run from its end; then it says what is left.
    let saysWhatIsLeft = end.errors.contains("not merged yet") || end.errors.contains("rewritten or truncated")
    if end.status == 74 && saysWhatIsLeft { return }
    if !Self.expectedStatuses.contains(end.status) {
      tally.surprises.append("exit status \(end.status): \(end.errors)")
    }
  }
}
