import Foundation
import Libpq
import Logging
import MergeEngine
import PrivateCluster
import TestSupport
import Testing

/// CDC writes, DMS loads, merges run, and everything is killed, cut and restarted; then every promise is checked.
///
/// `MERGE_ENGINE_TORTURE_SECONDS` says how long (`make torture`: 20 minutes), `MERGE_ENGINE_TORTURE_SEED` repeats the
/// decisions of a storm, `MERGE_ENGINE_TORTURE_BUFFERS` says how much memory the server has: with 512kB production does not fit into
/// it, and batches follow keys. The interleaving of processes is up to the machine.
@Test func nothingIsLostAndNothingNewerIsOverwrittenWhateverHappens() async throws {
  let environment = ProcessInfo.processInfo.environment
  let seconds = environment["MERGE_ENGINE_TORTURE_SECONDS"].flatMap(Double.init) ?? 15
  let seed = environment["MERGE_ENGINE_TORTURE_SEED"].flatMap(UInt64.init) ?? .random(in: 0...999_999)
  print("torture: \(Int(seconds)) s with seed \(seed)")

  let buffers = environment["MERGE_ENGINE_TORTURE_BUFFERS"]
  let memory = buffers.map { ["shared_buffers": $0, "effective_cache_size": $0] } ?? [:]
  try await TestServer.withOwn(settings: memory) { cluster in
    let direct = cluster.connectionString()
    try prepare(direct)
    let proxy = try CuttingProxy(serverPort: cluster.port)
    defer { proxy.close() }
    let proxied = TestServer.connectionString(through: proxy)
    var storm = Storm(cluster, proxy, direct: direct, proxied: proxied, seed: seed)
    // 50 kills and 10 restarts in 20 minutes, and so in proportion.
    let (kills, restarts) = (max(1, Int(seconds * 50 / 1200)), max(1, Int(seconds * 10 / 1200)))
    try await storm.rage(seconds: seconds, kills: kills, restarts: restarts)
    let last = try await Storm.merge([], direct).outcome()
    print("torture: \(storm.tally)")
    #expect(last.status == 0 || last.status == 65, "the last merge, undisturbed: \(last.errors)")
    #expect(storm.tally.surprises.isEmpty)
    #expect(storm.tally.kills >= kills && storm.tally.restarts >= restarts)
    #expect(storm.tally.changes > 0 && storm.tally.loads > 0)
    if seconds >= 1200 { #expect(storm.tally.cuts > 0 && storm.tally.terminations > 0 && storm.tally.busy > 0) }

    let connection = try Connection(to: ConnectionTarget(direct), applicationName: "torture check") { _ in }
    for rule in TortureCheck.rules {
      let violations = try connection.query(rule.violations, "checking").integer(0, 0)
      #expect(violations == 0, "\(rule.claim), seed \(seed)")
    }
    let poisoned = try connection.query("SELECT count(*) FROM admin.merge_errors", "checking").integer(0, 0) ?? 0
    let merged = try connection.query("SELECT count(*) FROM model.staged", "checking").integer(0, 0) ?? 0
    print("torture: \(merged) staging rows, \(poisoned) of them refused")
    #expect(poisoned > 0)
  }
}

private func prepare(_ database: String) throws {
  let target = try ConnectionTarget(database)
  let connection = try Connection(to: target, applicationName: "torture") { _ in }
  try connection.execute(TortureSchema.create, "making the schema")
  let logger = Logger(label: "torture") { _ in SwiftLogNoOpLogHandler() }
  for (table, hasStatusColumn) in [("orders", true), ("items", false)] {
    var options = StagingSetup.Options()
    options.tables = [table]
    options.hasStatusColumn = hasStatusColumn
    _ = try StagingSetup(target: target, options: options, logger: logger).run()
  }
  try connection.execute(TortureSchema.createWriters, "making the writers")
}
