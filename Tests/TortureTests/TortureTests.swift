import Foundation
import Libpq
import Logging
import MergeEngine
import PrivateCluster
import TestSupport
import Testing
import TortureSupport

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
    let remote = cluster.connectionString(database: TortureSchema.remoteDatabase)
    try prepareRemote(direct, remote)
    var storm = Storm(cluster, proxy, direct: direct, proxied: proxied, remote: remote, seed: seed)
    // 150 kills and 40 restarts in 20 minutes, and so in proportion.
    let (kills, restarts) = (max(1, Int(seconds * 150 / 1200)), max(1, Int(seconds * 40 / 1200)))
    try await storm.rage(seconds: seconds, kills: kills, restarts: restarts)
    let connection = try Connection(to: ConnectionTarget(direct), applicationName: "torture check") { _ in }
    _ = try connection.query("SELECT model.load_tree(0)", "loading the last parents")
    let last = try await Storm.merge([], direct).outcome()
    let lastRemote = try await Storm.merge(["--table", "remote", "--staging-database", remote], direct).outcome()
    print("torture: \(storm.tally)")
    #expect(last.status == 0 || last.status == 65, "the last merge, undisturbed: \(last.errors)")
    #expect(lastRemote.status == 0, "the last merge from the other database: \(lastRemote.errors)")
    #expect(storm.tally.surprises.isEmpty)
    #expect(storm.tally.kills >= kills && storm.tally.restarts >= restarts)
    #expect(storm.tally.changes > 0 && storm.tally.loads > 0)
    if seconds >= 1200 {
      #expect(storm.tally.cuts > 0 && storm.tally.terminations > 0 && storm.tally.busy > 0 && storm.tally.rollbacks > 0)
      #expect(storm.tally.frozenClients > 0 && storm.tally.frozenLines > 0 && storm.tally.remoteRuns > 0)
      #expect(storm.tally.rewrites.values.allSatisfy { $0 > 0 })
    }

    try copyRemote(from: remote, to: connection)
    for rule in TortureCheck.rules {
      #expect(try rule.violationCount(connection) == 0, "\(rule.claim), seed \(seed)")
      #expect(try rule.violationCountWhenTampered(connection) > 0, "nothing can break the rule: \(rule.claim)")
    }
    let longest = try connection.query(
      "SELECT coalesce(max(extract(epoch FROM finished - started) * 1000), 0)::bigint, count(*) FROM model.waits",
      "reading how long CDC has waited"
    )
    print(
      "torture: CDC's longest wait \(longest.integer(0, 0) ?? 0) ms, \(longest.integer(0, 1) ?? 0) waits above "
        + "\(TortureModel.notedWaitMilliseconds) ms"
    )
    let poisoned = try connection.query("SELECT count(*) FROM admin.merge_errors", "checking").integer(0, 0) ?? 0
    let merged = try connection.query("SELECT count(*) FROM model.staged", "checking").integer(0, 0) ?? 0
    print("torture: \(merged) staging rows, \(poisoned) of them refused")
    #expect(poisoned > 0)
  }
}

private func prepareRemote(_ database: String, _ remote: String) throws {
  try Connection(to: ConnectionTarget(database), applicationName: "torture") { _ in }
    .execute("CREATE DATABASE \(Identifier(TortureSchema.remoteDatabase))", "making the other database")
  try Connection(to: ConnectionTarget(remote), applicationName: "torture") { _ in }
    .execute(TortureSchema.createRemote, "making the other database's schema")
}

/// Lets the rules know what was loaded into the other database, and what is there.
private func copyRemote(from remote: String, to connection: Connection) throws {
  let source = try Connection(to: ConnectionTarget(remote), applicationName: "torture check") { _ in }
  for (rows, insert) in [
    (
      "SELECT array_agg(id::text), array_agg(version::text) FROM model.loaded",
      "INSERT INTO model.loaded SELECT \(TortureSchema.remoteTenant), id::integer, version::timestamp, false"
    ),
    (
      "SELECT array_agg(id::text), array_agg(updated_at::text) FROM staging.remote",
      "INSERT INTO model.remote_staged SELECT id::integer, version::timestamp"
    ),
  ] as [(SQL, SQL)] {
    let found = try source.query(rows, "reading the other database")
    _ = try connection.query(
      "\(insert) FROM unnest($1, $2) AS r (id, version)",
      (0..<2).map { Parameter(binary: found.bytes(0, $0), type: TypeOID.textArray) },
      "copying the other database"
    )
  }
}

private func prepare(_ database: String) throws {
  let target = try ConnectionTarget(database)
  let connection = try Connection(to: target, applicationName: "torture") { _ in }
  try connection.execute(TortureSchema.create, "making the schema")
  let logger = Logger(label: "torture") { _ in SwiftLogNoOpLogHandler() }
  for (table, hasStatusColumn) in [("orders", true), ("items", false), ("tree", false)] {
    var options = StagingOptions()
    options.tables = [table]
    options.hasStatusColumn = hasStatusColumn
    _ = try StagingSetup(target: target, options: options, logger: logger).run()
  }
  try connection.execute(TortureSchema.createWriters, "making the writers")
}
