import Foundation
import Libpq
import TestSupport
import Testing

/// Whatever ends a reload, `reload --resume` goes on where it stood, and nothing is merged twice.
@Suite struct ResumeTests {
  private static let loaded = 448

  private func start(_ world: World) throws -> CommandLineProgram {
    try world.start(["reload"] + World.window + World.route + ["--cleanup"])
  }

  private func waitUntilRowsArrive(_ world: World) async throws {
    try await eventually("a row in staging") {
      try world.database.count("SELECT count(*) FROM staging.orders") > 0 ? () : nil
    }
  }

  private func expectEverythingMergedOnce(_ world: World, _ outcome: CommandLineProgram.Outcome) throws {
    #expect(outcome.status == 0, "\(outcome.transcript)")
    #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 1)
    #expect(try world.lastRun().status == "SUCCESS")
    #expect(try world.database.count("SELECT sum(records_read)::bigint FROM admin.merge_logs") == 447)
    #expect(
      try world.database.count(
        "SELECT count(*) FROM production.orders WHERE updated_at >= '2025-01-01' AND updated_at < '2025-02-01'"
      ) == 348
    )
    #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 0)
    let calls = try world.calls()
    #expect(calls.count { $0 == "CreateReplicationTask" } == 1)
    #expect(calls.count { $0 == "StartReplicationTask" } == 1)
    #expect(calls.count { $0 == "DeleteReplicationTask" } == 1)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func ctrlCLeavesTheTaskRunningAndSaysHowToGoOn(_ signal: Int32) async throws {
    try await World.with(holdsLoad: true) { world in
      let program = try start(world)
      try await waitUntilRowsArrive(world)
      program.send(signal)
      let interrupted = try await program.outcome()
      #expect(interrupted.status == 128 + signal, "\(interrupted.transcript)")
      #expect(interrupted.errors.contains("merge-engine reload --resume"))
      let arn = try world.annotation("task_arn")
      #expect(interrupted.errors.contains("aws dms stop-replication-task --replication-task-arn \(arn)"))
      #expect(try world.lastRun().status == "LOADING")
      #expect(!(try world.calls().contains("StopReplicationTask")))

      // A second reload would spoil the load that goes on.
      let second = try await world.reload(["--truncate"])
      #expect(second.status == 75, "\(second.transcript)")
      #expect(second.errors.contains("is under way"))
      try world.letLoadGoOn()

      try expectEverythingMergedOnce(world, try await world.resume(["--cleanup"]))
      #expect(try await world.resume().status == 64)
    }
  }

  @Test func aReloadKilledDuringTheLoadIsGoneOnWith() async throws {
    try await World.with(holdsLoad: true) { world in
      let program = try start(world)
      try await waitUntilRowsArrive(world)
      program.send(SIGKILL)
      _ = try await program.outcome()
      // Looking does not close it: the load goes on without anybody.
      #expect(try await world.run(["status"]).output.contains("LOADING"))
      try world.letLoadGoOn()
      try expectEverythingMergedOnce(world, try await world.resume(["--cleanup"]))
    }
  }

  @Test func aReloadKilledDuringTheMergeIsGoneOnWith() async throws {
    try await World.with { world in
      let program: CommandLineProgram
      do {
        // Customers are merged, and orders wait for this lock.
        let lock = try world.database.connect()
        try lock.run("BEGIN; LOCK TABLE production.orders IN SHARE ROW EXCLUSIVE MODE")
        program = try start(world)
        try await eventually("merged customers") {
          try world.database.count("SELECT records_read FROM admin.merge_logs WHERE table_name = 'customers'") == 75
            ? () : nil
        }
        program.send(SIGKILL)
        _ = try await program.outcome()
        try lock.run("ROLLBACK")
      }
      try await world.database.waitForTheEndOfAllSessions()
      #expect(try await world.run(["status"]).output.contains("ABORTED"))
      try expectEverythingMergedOnce(world, try await world.resume(["--cleanup"]))
    }
  }

  @Test func aReloadInterruptedDuringTheMergeIsGoneOnWith() async throws {
    try await World.with { world in
      let lock = try world.database.connect()
      try lock.run("BEGIN; LOCK TABLE production.orders IN SHARE ROW EXCLUSIVE MODE")
      let program = try start(world)
      try await eventually("merged customers") {
        try world.database.count("SELECT records_read FROM admin.merge_logs WHERE table_name = 'customers'") == 75
          ? () : nil
      }
      program.send(SIGINT)
      let interrupted = try await program.outcome()
      try lock.run("ROLLBACK")
      #expect(interrupted.status == 130, "\(interrupted.transcript)")
      #expect(interrupted.errors.contains("merge-engine reload --resume"))
      #expect(try world.lastRun().status == "ABORTED")
      // The task of a good load is left alone, and so is staging.
      let cleanup = try await world.run(["cleanup"])
      #expect(cleanup.status == 65, "\(cleanup.transcript)")
      #expect(cleanup.output.contains("reload --resume --run 1"))
      try expectEverythingMergedOnce(world, try await world.resume(["--cleanup"]))
    }
  }

  @Test func aTaskThatSomebodyDeletedMeanwhileIsSaidToBeGone() async throws {
    try await World.with(simulator: ["--fail", "lost-task@ORDERS"]) { world in
      #expect(try await world.reload().status == 76)
      let outcome = try await world.resume()
      #expect(outcome.status == 76, "\(outcome.transcript)")
      #expect(outcome.errors.contains("there is no such task any more"))
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_logs") == 0)
    }
  }

  @Test func withoutAReloadThereIsNothingToResume() async throws {
    try await World.with { world in
      let outcome = try await world.resume()
      #expect(outcome.status == 64, "\(outcome.transcript)")
      #expect(outcome.errors.contains("there has been no reload"))
    }
  }
}
