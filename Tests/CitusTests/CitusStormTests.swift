import Foundation
import Libpq
import TestSupport
import Testing
import TortureSupport

/// CDC writes and staging is loaded through the coordinator, every node merges, clients are killed, nodes restarted and shards moved;
/// then production is compared with the rule.
///
/// `MERGE_ENGINE_TORTURE_SECONDS` says how long (`make torture-citus`: 10 minutes), `MERGE_ENGINE_TORTURE_SEED` repeats the decisions
/// of a storm. The interleaving of processes is up to the machine.
@Suite struct CitusStormTests {
  @Test func nothingIsLostAndNothingNewerIsOverwrittenWhateverHappens() async throws {
    let environment = ProcessInfo.processInfo.environment
    let seconds = environment["MERGE_ENGINE_TORTURE_SECONDS"].flatMap(Double.init) ?? 20
    let seed = environment["MERGE_ENGINE_TORTURE_SEED"].flatMap(UInt64.init) ?? .random(in: 0...999_999)
    print("citus storm: \(Int(seconds)) s with seed \(seed)")
    try await CitusCluster.withDatabase(own: true) { cluster, database in
      try await prepare(database)
      var storm = CitusStorm(cluster, database, seed: seed)
      // 15 kills, as many restarts and 30 moves in 10 minutes, and so in proportion.
      let (kills, restarts, moves) = (
        max(1, Int(seconds / 40)), max(1, Int(seconds / 40)), max(1, Int(seconds / 20))
      )
      try await storm.rage(seconds: seconds, kills: kills, restarts: restarts, moves: moves)
      print("citus storm: \(storm.tally)")
      #expect(storm.tally.surprises.isEmpty)
      #expect(storm.tally.changes > 0 && storm.tally.loads > 0)

      // What a crash has left prepared is settled by Citus a moment later.
      let check = try database.connect()
      for node in [cluster.coordinator] + cluster.workers {
        try await TestDatabase(connectionString: node.connectionString(database: database.name))
          .wait(for: "NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database())")
      }
      try await mergeUntilQuiet(database)
      try check.run(CitusStormSchema.gather.text)
      for rule in CitusStormSchema.rules {
        #expect(try rule.violationCount(check.connection) == 0, "\(rule.claim), seed \(seed)")
        #expect(
          try rule.violationCountWhenTampered(check.connection) > 0,
          "nothing can break the rule: \(rule.claim)"
        )
      }
      let waits = try check.rows(
        "SELECT coalesce(max(extract(epoch FROM finished - started) * 1000), 0)::bigint, count(*) FROM model.waits"
      )
      print("citus storm: CDC's longest wait in ms, and waits above \(TortureModel.notedWaitMilliseconds) ms: \(waits)")
      let staged = try check.count("SELECT count(*) FROM model.staged")
      let refused = try check.count("SELECT count(*) FROM model.staged WHERE NOT is_good")
      print("citus storm: \(staged) staging rows, \(refused) of them refused")
      #expect(refused > 0)
    }
  }

  private func prepare(_ database: TestDatabase) async throws {
    try database.run(CitusStormSchema.create.text)
    for arguments in [["--table", "orders", "--status-column"], ["--table", "items"]] {
      let made = try await database.call("init", "--on-nodes", arguments: arguments)
      try #require(made.status == 0, "\(made.transcript)")
    }
    for statement in [TortureOrders.dropKeyOfStaging, TortureItems.dropKeyOfStaging, CitusStormSchema.createWriters] {
      try database.run(statement.text)
    }
    let first = try await database.call("merge", "--on-nodes")
    try #require(first.status == 0, "\(first.transcript)")
  }

  /// Merges until a merge reads nothing but rows that are refused again, as those that lack a parent are.
  private func mergeUntilQuiet(_ database: TestDatabase) async throws {
    for _ in 0..<5 {
      let merge = try await database.call("merge", "--on-nodes", "--json")
      #expect(merge.status == 0 || merge.status == 65, "an undisturbed merge: \(merge.transcript)")
      let totals = try merge.json()["totals"]
      if totals["read"].integer == totals["errors"].integer { return }
    }
    Issue.record("merges still find rows to merge, though nobody loads any")
  }
}
