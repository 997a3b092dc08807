import Foundation
import Libpq
import MergeEngine
import PrivateCluster
import TestSupport
import Testing

/// A primary that stops answering in the middle of a run, and a standby that takes its place.
@Suite struct FailoverTests {
  /// By default libpq would take the first server that answers, also one that takes no writes yet.
  @Test(arguments: ["", " target_session_attrs=any"])
  func `a run goes on with the standby that was promoted, once it was`(_ choice: String) async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster in
      let primary = try TestDatabase(connectionString: cluster.connectionString())
      let columns = "id int, updated_at int, v text"
      try primary.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try primary.run(
        """
        INSERT INTO staging.t SELECT n, 5, 's' FROM generate_series(1, 2000) n;
        INSERT INTO production.t SELECT n, 1, 'p' FROM generate_series(1, 2000) n WHERE n % 2 = 1;
        """
      )
      let standby = try await StandbyServer(of: cluster)
      defer { standby.stop() }
      let cdc = try primary.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 1001 FOR UPDATE")
      let hosts = "host='\(cluster.socketDirectory),\(cluster.socketDirectory)' port=\(cluster.port),\(standby.port)"
      let target = try ConnectionTarget(hosts + " user=postgres dbname=postgres connect_timeout=2" + choice)
      var options = MergeOptions()
      options.batchRows = 300
      options.workers = 1
      let run = MergeRun(target: target, options: options, logger: .silent)
      let merge = Task { try await onItsOwnThread { try run.run() } }
      try await primary.waitForBlockedWorker()
      try await waitUntilReplayed(primary)

      let postmaster = try postmaster(of: cluster)
      #expect(kill(postmaster, SIGSTOP) == 0)
      defer { kill(postmaster, SIGCONT) }
      try primary.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'merge-engine%'"
      )
      // Long enough for the run to meet the standby as it is: one that takes no writes.
      try await Task.sleep(for: .seconds(4))
      try standby.promote()
      let report = try await merge.value
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.read == 2000)

      let promoted = try TestDatabase(connectionString: standby.connectionString)
      #expect(try promoted.difference("SELECT id, updated_at, v FROM staging.t", "TABLE production.t") == [])
      #expect(try promoted.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status <> 'PROCESSED'") == 0)
      #expect(try primary.count("SELECT count(*) FROM production.t WHERE v = 's'") < 2000)
    }
  }

  private func postmaster(of cluster: PrivateCluster) throws -> pid_t {
    let file = try String(contentsOfFile: cluster.dataDirectory + "/postmaster.pid", encoding: .utf8)
    return try #require(file.split(separator: "\n").first.flatMap { pid_t($0) })
  }

  private func waitUntilReplayed(_ primary: TestDatabase) async throws {
    let isBehind = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS DISTINCT FROM pg_current_wal_lsn()"
    for _ in 0..<1500 where try primary.count(isBehind) > 0 { try await Task.sleep(for: .milliseconds(20)) }
  }
}
