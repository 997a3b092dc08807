import Foundation
import PrivateCluster
import TestSupport
import Testing

/// `--max-replica-lag`: pauses while a standby is behind, with a standby that really is.
@Suite struct ReplicaLagTests {
  private func withStandby(
    _ body: (TestDatabase, StandbyServer, _ cluster: PrivateCluster) async throws -> Void
  ) async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try await database.makeGuideTables()
      try database.fillGuideTables()
      try database.expectGuideResult()
      let standby = try await StandbyServer(of: cluster)
      defer { standby.stop() }
      try await database.wait(
        for: """
          EXISTS (SELECT FROM pg_stat_replication
                  WHERE application_name = '\(StandbyServer.name)' AND replay_lsn = pg_current_wal_lsn())
          """
      )
      try await body(database, standby, cluster)
    }
  }

  /// Holds replay up until the primary can see that it is behind.
  private func letItFallBehind(_ standby: StandbyServer, _ database: TestDatabase) async throws {
    try standby.pauseReplay()
    try database.run("CREATE TABLE public.noise (n int)")
    try await eventually("a lagging standby") {
      try database.run("INSERT INTO public.noise VALUES (1)")
      return try database.holds("EXISTS (SELECT FROM pg_stat_replication WHERE replay_lag > interval '3 seconds')")
        ? () : nil
    }
  }

  private func outcome(of merge: CommandLineProgram) async throws -> CommandLineProgram.Outcome {
    let watchdog = Task {
      try await Task.sleep(for: .seconds(120))
      merge.send(SIGKILL)
    }
    defer { watchdog.cancel() }
    return try await merge.outcome()
  }

  @Test(arguments: [[], ["--replica", StandbyServer.name]])
  func `nothing is merged while a standby is behind, and all of it when it has caught up`(arguments: [String])
    async throws
  {
    try await withStandby { database, standby, cluster in
      try await letItFallBehind(standby, database)
      let merge = try database.launch(["--max-replica-lag", "2", "--batch", "100", "--json"] + arguments)
      try await database.wait(
        for: "EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run % worker 2')"
      )
      try await Task.sleep(for: .seconds(2))
      #expect(try database.runStatuses() == "RUNNING")
      #expect(try database.staged("PROCESSED", in: "staging.customers") == 0)
      #expect(try database.staged("PROCESSED") == 0)
      #expect(
        try database.holds(
          """
          NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine%' AND xact_start IS NOT NULL)
          """
        )
      )
      try standby.resumeReplay()
      let outcome = try await outcome(of: merge)
      #expect(outcome.status == 0)
      #expect(try outcome.json()["totals"]["read"].integer == 2500)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  /// Starts a merge whose first batch waits for a row.
  private func startHeld(_ database: TestDatabase, _ arguments: [String]) async throws -> CommandLineProgram {
    try database.letBatchesWait()
    let merge = try database.launch(
      ["--batch", "100", "--workers", "1", "--max-lock-time", "600000", "--json"] + arguments
    )
    try await database.wait(for: TestDatabase.somebodyWaitsForALock)
    return merge
  }

  private static let isPaused = """
    NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run%' AND xact_start IS NOT NULL)
    """

  /// Row 2 of customers is in the first batch; nothing but it can be merged before the pause.
  private func expectPauseInMidRun(
    _ database: TestDatabase,
    _ arguments: [String],
    begin: () async throws -> Void,
    end: () async throws -> Void
  ) async throws {
    let other = try database.connect()
    try other.run("BEGIN; SELECT FROM production.customers WHERE customer_id = 3 FOR UPDATE")
    let merge = try await startHeld(database, arguments)
    try await begin()
    // The lag is asked for every second.
    try await Task.sleep(for: .seconds(2.5))
    try other.run("COMMIT")
    try await database.wait(for: Self.isPaused)
    try await Task.sleep(for: .seconds(2))
    #expect(try database.runStatuses() == "RUNNING")
    #expect(try database.staged("PROCESSED") == 0)
    #expect(try database.staged("NEW", in: "staging.customers") != 0)
    #expect(try database.holds(Self.isPaused))
    try await end()
    let outcome = try await outcome(of: merge)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try outcome.json()["totals"]["read"].integer == 2500)
    #expect(try database.differencesFromExpected() == 0)
  }

  @Test func `a standby that falls behind in the middle of a run pauses it`() async throws {
    try await withStandby { database, standby, cluster in
      try await expectPauseInMidRun(database, ["--max-replica-lag", "2"]) {
        try await letItFallBehind(standby, database)
      } end: {
        try standby.resumeReplay()
      }
    }
  }

  @Test func `a named standby that vanishes in the middle of a run is waited for`() async throws {
    try await withStandby { database, standby, cluster in
      let second = try await StandbyServer(of: cluster, name: "standby_two", number: 2)
      defer { second.stop() }
      let isThere =
        "EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'standby_two' AND state = 'streaming')"
      try await database.wait(for: isThere)
      try await expectPauseInMidRun(database, ["--max-replica-lag", "2", "--replica", "standby_two"]) {
        second.stop()
        try await database.wait(for: "NOT \(isThere)")
      } end: {
        try await second.start()
      }
    }
  }

  @Test func `of two standbys the lag of the one that is named counts`() async throws {
    try await withStandby { database, standby, cluster in
      let second = try await StandbyServer(of: cluster, name: "standby_two", number: 2)
      defer { second.stop() }
      try await letItFallBehind(standby, database)
      let named = try await database.call("--max-replica-lag", "2", "--replica", "standby_two", "--json")
      #expect(named.status == 0, "\(named.errors)")
      #expect(try database.differencesFromExpected() == 0)
      let any = try database.launch(["--max-replica-lag", "2", "--json"])
      try await database.wait(
        for: "EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run % worker 2')"
      )
      try await Task.sleep(for: .seconds(2))
      #expect(try database.runStatuses() == "SUCCESS RUNNING")
      try standby.resumeReplay()
      #expect(try await outcome(of: any).status == 0)
    }
  }

  @Test func `a paused run can be interrupted, and ends when its server is gone`() async throws {
    try await withStandby { database, standby, cluster in
      try await letItFallBehind(standby, database)
      let arguments = ["--max-replica-lag", "2", "--reconnect-timeout", "1", "--batch", "100"]
      let interrupted = try database.launch(arguments)
      let isThere = "EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'merge-engine run % worker 2')"
      try await database.wait(for: isThere)
      interrupted.send(SIGINT)
      #expect(try await outcome(of: interrupted).status == 130)
      #expect(try database.runStatuses() == "ABORTED")

      try await database.waitForTheEndOfAllSessions()
      let deserted = try database.launch(arguments)
      try await database.wait(for: isThere)
      await cluster.stop()
      let outcome = try await outcome(of: deserted)
      #expect(outcome.status == 69, "\(outcome.status) \(outcome.errors)")
      #expect(outcome.errors.contains("connecting to database \(database.name)"))
    }
  }

  @Test func `a role that may not see the lag is told so, and goes on with pg_monitor`() async throws {
    try await withStandby { database, _, _ in
      try database.run(
        """
        CREATE ROLE merger LOGIN;
        GRANT TEMPORARY ON DATABASE \(database.name) TO merger;
        GRANT USAGE ON SCHEMA production, staging, admin TO merger;
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA production, admin TO merger;
        GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA staging TO merger;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA admin TO merger;
        """
      )
      let arguments = ["--database", database.connectionString(role: "merger"), "--max-replica-lag", "60"]
      let blind = try await CommandLineProgram.run(arguments)
      #expect(blind.status == 73)
      #expect(blind.errors.contains("this role may not see how far standbys lag; grant it pg_monitor"))
      #expect(blind.errors.contains("Nothing was written."))
      #expect(try database.staged("NEW") == 2000)
      try database.run("GRANT pg_monitor TO merger")
      let seeing = try await CommandLineProgram.run(arguments)
      #expect(seeing.status == 0, "\(seeing.errors)")
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `a receiver that replays nothing is no standby to wait for`() async throws {
    try await TestServer.withOwn { cluster in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try await database.makeGuideTables()
      try database.fillGuideTables()
      let receiver = try StandbyServer.program(
        cluster,
        "pg_receivewal",
        ["-D", cluster.directory, "-d", cluster.connectionString() + " application_name=archive"],
        log: "receivewal.log"
      )
      defer { kill(receiver.processIdentifier, SIGKILL) }
      try await database.wait(for: "EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'archive')")
      let named = try await database.call("--max-replica-lag", "5", "--replica", "archive")
      #expect(named.status == 73)
      #expect(named.errors.contains("archive does not report what it has replayed"))
      let any = try await database.call("--max-replica-lag", "5")
      #expect(any.status == 0, "\(any.errors)")
    }
  }

  @Test func `a standby that is not there can't be waited for: 73, and nothing is written`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let before = try database.contents()
      let outcome = try await database.call("--max-replica-lag", "5", "--replica", "nobody")
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("there is no standby whose application_name is nobody"))
      #expect(outcome.errors.contains("Nothing was written."))
      #expect(try database.contents() == before)
      // Dry runs wait for nobody.
      #expect(try await database.call("plan", "--quiet").status == 0)
    }
  }

  @Test func `without any standby there is nothing to wait for, by flag or by file`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      #expect(try await database.call("--quiet", files: ["merge-engine.yaml": "max_replica_lag: 5\n"]).status == 0)
      #expect(try database.differencesFromExpected() == 0)
      let outcome = try await database.call(files: ["merge-engine.yaml": "max_replica_lag: 5\nreplica: nobody\n"])
      #expect(outcome.status == 73)
    }
  }
}
