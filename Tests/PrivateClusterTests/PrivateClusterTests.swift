import Foundation
import PrivateCluster
import Synchronization
import TestSupport
import Testing

@Suite(.inTurn) struct PrivateClusterTests {
  @Test func `starts and answers with the version its programs have`() async throws {
    try await PrivateCluster.with { cluster async throws in
      #expect(try await psql(cluster, "SHOW server_version").hasPrefix(cluster.serverVersion.description))
    }
  }

  @Test func `is a UTF-8 cluster in UTC on a socket only, unless told otherwise`() async throws {
    try await PrivateCluster.with { cluster async throws in
      let settings = try await psql(
        cluster,
        "SELECT string_agg(current_setting(s), ' ') FROM unnest('{server_encoding,timezone,lc_messages}'::text[]) s"
      )
      #expect(settings == "UTF8 UTC C.UTF-8")
      #expect(try await psql(cluster, "SHOW listen_addresses") == "")
      #expect(cluster.loopbackConnectionString() == nil)
    }
  }

  @Test func `takes locale, encoding and settings, quotes and backslashes included`() async throws {
    var options = ClusterOptions(settings: ["log_line_prefix": #"it's \n"#, "max_connections": "7", "app.name": "x y"])
    options.locale = "C"
    options.encoding = "LATIN1"
    try await PrivateCluster.with(options) { cluster async throws in
      #expect(try await psql(cluster, "SHOW server_encoding") == "LATIN1")
      #expect(try await psql(cluster, "SHOW log_line_prefix") == #"it's \n"#)
      #expect(try await psql(cluster, "SHOW max_connections") == "7")
      #expect(try await psql(cluster, "SHOW app.name") == "x y")
    }
  }

  @Test func `only its user can enter the folder, and that user is never root`() async throws {
    try await PrivateCluster.with { cluster async throws in
      let attributes = try FileManager.default.attributesOfItem(atPath: cluster.directory)
      #expect(attributes[.posixPermissions] as? Int == 0o700)
      let owner = try #require(attributes[.ownerAccountID] as? UInt32)
      #expect(owner != 0)
      #expect(geteuid() == 0 || owner == geteuid())
    }
  }

  @Test func `over loopback wants the password`() async throws {
    var options = ClusterOptions()
    options.loopbackPassword = #"it's \ a secret"#
    try await PrivateCluster.with(options) { cluster async throws in
      let right = try #require(cluster.loopbackConnectionString())
      #expect(try await psql(cluster.binaries, right, "SELECT inet_server_addr()") == "127.0.0.1")
      let wrong = try #require(cluster.loopbackConnectionString(password: "another"))
      let failure = await #expect(throws: PsqlFailure.self) { try await psql(cluster.binaries, wrong, "SELECT 1") }
      #expect(failure?.message.contains("password authentication failed") == true)
      #expect(!FileManager.default.fileExists(atPath: cluster.directory + "/password"))
    }
  }

  @Test func `a loopback port that somebody else has is left to them`() async throws {
    // It listens.
    let other = try CuttingProxy(serverPort: 1)
    var options = ClusterOptions()
    options.loopbackPassword = "secret"
    options.loopbackPorts = other.port..<other.port + 3
    // Each time another of the three may be tried first.
    for _ in 0..<4 {
      try await PrivateCluster.with(options) { cluster async throws in
        #expect(cluster.port != other.port)
        let string = try #require(cluster.loopbackConnectionString())
        #expect(try await psql(cluster.binaries, string, "SHOW port") == "\(cluster.port)")
        #expect(try await psql(cluster, "SHOW port") == "\(cluster.port)")
      }
    }
    options.loopbackPorts = other.port..<other.port + 1
    let failure = await #expect(throws: PrivateClusterError.self) { try await PrivateCluster.start(options) }
    #expect(failure?.description.contains("Address already in use") == true)
  }

  @Test(arguments: [true, false])
  func `restart keeps committed data and ends the old server`(immediate: Bool) async throws {
    try await PrivateCluster.with { cluster async throws in
      _ = try await psql(cluster, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
      let before = try Traces(of: cluster)
      try await cluster.restart(immediate: immediate)
      #expect(try await psql(cluster, "SELECT count(*) FROM kept") == "1000")
      #expect(try Traces(of: cluster).serverProcessID != before.serverProcessID)
      #expect(!before.serverRuns)
      let recovered = try String(contentsOfFile: cluster.logFile, encoding: .utf8).contains(
        "was not properly shut down"
      )
      #expect(recovered == immediate)
    }
  }

  @Test func `stop removes server and folder, and may come twice, at once too`() async throws {
    let cluster = try await PrivateCluster.start()
    let traces = try Traces(of: cluster)
    #expect(traces.serverRuns)
    async let first: Void = cluster.stop()
    async let second: Void = cluster.stop()
    _ = await (first, second)
    #expect(!traces.serverRuns)
    #expect(!traces.directoryExists)
    await cluster.stop()
    await #expect(throws: PrivateClusterError.stopped) { try await cluster.restart() }
  }

  @Test func `stops when the last reference goes`() async throws {
    var cluster: PrivateCluster? = try await PrivateCluster.start()
    let traces = try Traces(of: #require(cluster))
    cluster = nil
    #expect(try await traces.vanish())
  }

  @Test func `stopping ends sessions at work`() async throws {
    let cluster = try await PrivateCluster.start()
    let traces = try Traces(of: cluster)
    let session = Task { try await psql(cluster, "SELECT pg_sleep(300)") }
    // A minute at most, and then the session ends as it should not.
    let isAsleep = """
      DO $$ BEGIN
        FOR turn IN 1..6000 LOOP
          EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid <> pg_backend_pid());
          PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
        END LOOP;
      END $$
      """
    _ = try await psql(cluster, isAsleep)
    await cluster.stop()
    await #expect(throws: PsqlFailure.self) { try await session.value }
    #expect(!traces.serverRuns)
    #expect(!traces.directoryExists)
  }

  @Test func `two clusters do not know of each other`() async throws {
    try await PrivateCluster.with { one async throws in
      try await PrivateCluster.with { other async throws in
        _ = try await psql(one, "CREATE TABLE mine ()")
        #expect(try await psql(other, "SELECT to_regclass('mine') IS NULL") == "t")
      }
      #expect(try await psql(one, "SELECT to_regclass('mine') IS NULL") == "f")
    }
  }
}

/// A child that drops root's rights by glibc's setgroups waits for the threads that were being made at the moment of the fork,
/// and they are not there: it hung for ever.
///
/// In nobody's line, since the time limit would count the wait for a turn.
@Test(.timeLimit(.minutes(5))) func `a cluster starts while threads come and go`() async throws {
  let churn = ThreadChurn()
  defer { churn.end() }
  for _ in 0..<2 {
    try await PrivateCluster.with { cluster async throws in
      #expect(try await psql(cluster, "SELECT 1") == "1")
    }
  }
}

/// Starts threads that end at once, as fast as it can.
private final class ThreadChurn: Sendable {
  private let isOver = Atomic(false)

  init() {
    Thread { [self] in
      while !isOver.load(ordering: .relaxed) { Thread {}.start() }
    }.start()
  }

  func end() { isOver.store(true, ordering: .relaxed) }
}
