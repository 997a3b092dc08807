import Foundation
import TestSupport
import Testing

/// `cleanup`: what goes, and what stays because it would be missed.
@Suite struct CleanupTests {
  @Test func aTableWithARowThatIsNotMergedIsLeftUntilForced() async throws {
    try await World.with { world in
      try world.database.run(
        """
        INSERT INTO staging.orders (order_id, customer_id, updated_at, _dms_processing_status)
        VALUES (1, 1, '2025-01-10', 'NEW'), (2, 1, '2025-01-10', 'PROCESSED');
        INSERT INTO staging.customers (customer_id, updated_at, _dms_processing_status) VALUES (1, '2025-01-10', 'PROCESSED')
        """
      )
      let first = try await world.run(["cleanup", "--json"])
      #expect(first.status == 65, "\(first.transcript)")
      #expect(first.output.contains("1 of its rows is not merged"))
      #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 2)
      #expect(try world.database.count("SELECT count(*) FROM staging.customers") == 0)
      try world.database.run("UPDATE staging.orders SET _dms_processing_status = 'ERROR'")
      #expect(try await world.run(["cleanup"]).status == 65)
      #expect(try await world.run(["cleanup", "--force"]).status == 0)
      #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 0)
      // Nothing was ever reloaded, so AWS was not asked for anything.
      #expect(try world.calls() == [])
    }
  }

  @Test func afterAReloadStagingTaskAndOldRecordsGoAndTheArchiveStays() async throws {
    try await World.with { world in
      let reload = try await world.reload(["--keep-task"])
      #expect(reload.status == 0, "\(reload.transcript)")
      #expect(!(try world.calls().contains("DeleteReplicationTask")))
      #expect(try world.database.count("SELECT count(*) FROM staging.orders WHERE _dms_processing_status = 'NEW'") == 1)

      let folder = FileManager.default.temporaryDirectory.appending(path: "archive-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: folder) }
      let outcome = try await world.run(["cleanup", "--archive", folder.path])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      // The row at the window's end is loaded and never merged; it is no work that is left.
      #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 0)
      #expect(try world.calls().count { $0 == "DeleteReplicationTask" } == 1)
      let file = folder.appending(path: "run-1.json")
      let archive = try JSONValue(data: Data(contentsOf: file))
      #expect(archive["run"]["status"].text == "SUCCESS")
      #expect(archive["tables"].elements.count == 2)
      #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)

      // Once is enough; and a run of today is not old.
      let again = try await world.run(["cleanup", "--older-than", "1"])
      #expect(again.status == 0, "\(again.transcript)")
      #expect(try world.calls().count { $0 == "DeleteReplicationTask" } == 1)
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 1)
      try world.database.run("UPDATE admin.merge_summary SET merge_start = merge_start - interval '2 days'")
      let pruned = try await world.run(["cleanup", "--older-than", "1", "--archive", folder.path])
      #expect(pruned.status == 0, "\(pruned.transcript)")
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 0)
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_logs") == 0)
    }
  }

  /// At the window's end, where the load may bring rows that its merge leaves out.
  @Test(arguments: [[], ["--pad", "1h"]]) func rowsThatCameAfterTheReloadAreNotItsOwn(padding: [String]) async throws {
    try await World.with { world in
      let reload = try await world.reload(["--keep-task"] + padding)
      #expect(reload.status == 0, "\(reload.transcript)")
      try world.database.run(
        """
        INSERT INTO staging.orders (order_id, customer_id, updated_at)
        SELECT 999999, 1, max(updated_at) FROM staging.orders WHERE _dms_processing_status = 'NEW'
        """
      )
      let outcome = try await world.run(["cleanup"])
      #expect(outcome.status == 65, "\(outcome.transcript)")
      #expect(outcome.output.contains("1 of its rows is not merged"), "\(outcome.transcript)")
      #expect(try world.database.count("SELECT count(*) FROM staging.orders WHERE order_id = 999999") == 1)
    }
  }

  @Test func aLoadThatFailedLosesItsTaskAndOneThatGoesOnDoesNot() async throws {
    try await World.with(simulator: ["--fail", "fewer-rows@ORDERS"]) { world in
      #expect(try await world.reload().status == 76)
      let outcome = try await world.run(["cleanup", "--force"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(try world.calls().count { $0 == "DeleteReplicationTask" } == 1)
      try world.database.run("UPDATE admin.merge_summary SET status = 'LOADING'")
      let loading = try await world.run(["cleanup"])
      #expect(loading.status == 65, "\(loading.transcript)")
      #expect(loading.output.contains("run 1 is loading into it"))
    }
  }

  @Test func anArchiveOfARunThatIsNotThereIsWrongUsage() async throws {
    try await World.with { world in
      let outcome = try await world.run(["cleanup", "--archive", "/tmp", "--run", "7"])
      #expect(outcome.status == 64, "\(outcome.transcript)")
      #expect(outcome.errors.contains("there is no run 7"))
    }
  }
}
