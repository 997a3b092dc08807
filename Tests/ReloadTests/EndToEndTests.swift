import Foundation
import Libpq
import TestSupport
import Testing

/// The whole way with the real `aws` command: DMS's calls, rows by COPY, the merge, and CDC beside it.
@Suite struct EndToEndTests {
  @Test func aWindowGoesFromOracleToProductionWhileCDCWritesThere() async throws {
    try await World.with(.real, simulator: ["--seconds", "3"]) { world in
      let report = FileManager.default.temporaryDirectory.appending(path: "reload-\(UUID().uuidString).html")
      defer { try? FileManager.default.removeItem(at: report) }
      let reload = try world.start(["reload"] + World.window + World.route + ["--report", report.path])
      let target = world.database.target
      let cdc = Task { try await Self.writeLikeCDC(target) }
      let outcome = try await reload.outcome()
      cdc.cancel()
      let writes = try await cdc.value
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(writes > 0)
      // The report comes after the verification, which it shows.
      let page = try String(contentsOf: report, encoding: .utf8)
      #expect(page.contains("<title>Run 1 - SUCCESS - merge-engine</title>"))
      #expect(page.contains("merged rows were compared"))

      // Every row of the window is in production, in its own version or in a newer one of CDC's.
      let window = "s.updated_at >= '2025-01-01' AND s.updated_at < '2025-02-01'"
      #expect(try world.database.count("SELECT count(*) FROM staging.orders s WHERE \(window)") == 372)
      let behind = """
        SELECT count(*) FROM staging.orders s LEFT JOIN production.orders p USING (order_id)
        WHERE \(window) AND (p.order_id IS NULL OR p.updated_at < s.updated_at)
        """
      #expect(try world.database.count(behind) == 0)
      let different = """
        SELECT count(*) FROM staging.orders s JOIN production.orders p USING (order_id, updated_at)
        WHERE \(window) AND (s.customer_id, s.amount, s.order_date) IS DISTINCT FROM (p.customer_id, p.amount, p.order_date)
        """
      #expect(try world.database.count(different) == 0)
      // CDC's own rows are as CDC wrote them last.
      #expect(try world.database.count("SELECT count(*) FROM production.orders WHERE amount = 99999") == Self.cdcOrders)
      // The row at the window's end was loaded, since DMS knows no "before", and not merged.
      #expect(
        try world.text("SELECT _dms_processing_status FROM staging.orders WHERE updated_at = '2025-02-01'") == "NEW"
      )
      #expect(try world.text("SELECT updated_at FROM production.orders WHERE order_id = 576") == "")
    }
  }

  @Test func oraclesHabitsArriveAsTheyShould() async throws {
    try await World.with { world in
      let outcome = try await world.reload(["--from", "2024-12-01"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      // Empty strings are NULL, CHAR loses its padding, DATE keeps its time of day, .37 is a number.
      #expect(try world.text("SELECT email IS NULL FROM production.customers WHERE customer_id = 30") == "true")
      #expect(try world.text("SELECT status FROM production.customers WHERE customer_id = 30") == "dormant")
      #expect(try world.text("SELECT name FROM staging.customers WHERE customer_id = 7") == "Zoë \"Zed\", Größe")
      #expect(
        try world.text("SELECT created_at FROM staging.customers WHERE customer_id = 30") == "2020-01-31 00:00:30"
      )
      #expect(try world.text("SELECT amount FROM production.orders WHERE order_id = 1") == "0.37")
      #expect(
        try world.text("SELECT updated_at FROM staging.orders WHERE order_id = 50") == "2024-12-19 04:00:00.5"
      )
    }
  }

  @Test func phasesAndTheirDurationsArePrintedAndRecorded() async throws {
    try await World.with { world in
      let outcome = try await world.reload(["--json", "--cleanup", "--pad", "1h"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      let json = try outcome.json()
      let phases = json["phases"].elements.map(\.["phase"].text)
      #expect(phases == ["check", "create", "load", "judge", "merge", "verify", "cleanup", "delete"])
      #expect(json["run_id"].integer == 1)
      #expect(json["merge"]["status"].text == "SUCCESS")
      // The padding was loaded and not merged, and does not keep staging from being emptied.
      #expect(try world.database.count("SELECT records_read FROM admin.merge_logs WHERE table_name = 'orders'") == 372)
      #expect(try world.database.count("SELECT count(*) FROM staging.orders") == 0)
      #expect(try world.annotation("window_from") == "2025-01-01 00:00:00")
      #expect(try world.annotation("window_to") == "2025-02-01 00:00:00")
      #expect(try world.annotation("task_arn") == json["task_arn"].text)
      #expect(Int(try world.annotation("load_ms")) ?? 0 > 0)
      #expect(try world.lastRun().status == "SUCCESS")
      let calls = try world.calls()
      let marks = ["TestConnection", "CreateReplicationTask", "StartReplicationTask", "DeleteReplicationTask"]
      #expect(calls.filter(marks.contains) == [marks[0]] + marks)
      let journal = try String(contentsOf: world.journal, encoding: .utf8)
      #expect(!journal.contains("secret-key") && !journal.contains(world.database.connectionString))
    }
  }

  @Test func aDryRunCallsNothingAndWritesNothing() async throws {
    try await World.with { world in
      let outcome = try await world.reload(["--dry-run"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      for call in ["test-connection", "create-replication-task", "start-replication-task", "delete-replication-task"] {
        #expect(outcome.output.contains("aws dms \(call) "))
      }
      #expect(!outcome.output.contains("\\\"rules\\\""))
      let json = try await world.reload(["--dry-run", "--json"]).json()
      let creation = json["calls"].elements.first { $0["operation"].text == "create-replication-task" }
      #expect(creation?["request"]["TableMappings"]["rules"].elements.isEmpty == false)
      #expect(creation?["request"]["ReplicationTaskSettings"]["TargetMetadata"].keys.isEmpty == false)
      #expect(try world.calls() == [])
      #expect(try world.text("SELECT to_regclass('admin.merge_summary')") != "")
      #expect(try world.database.count("SELECT count(*) FROM admin.merge_summary") == 0)
    }
  }

  @Test func pagesAreFollowedAndAFewRefusedCallsPassedOver() async throws {
    try await World.with(simulator: ["--page-size", "1", "--throttle", "4"]) { world in
      let outcome = try await world.reload(["--window-form", "two-filters"])
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("2 tables, 448 rows"))
    }
  }

  /// Orders that CDC writes again and again, each time newer than anything in the window; about half are in it.
  static let cdcOrders = 50

  /// - Returns: how many transactions were committed.
  static func writeLikeCDC(_ target: ConnectionTarget) async throws -> Int {
    let connection = try Connection(to: target, applicationName: "cdc") { _ in }
    var writes = 0
    while !Task.isCancelled {
      try connection.execute(
        """
        INSERT INTO production.orders
        SELECT n * 11, 1, 99999, NULL, clock_timestamp() AT TIME ZONE 'UTC' FROM generate_series(1, \(cdcOrders)) AS n
        ON CONFLICT (order_id) DO UPDATE SET amount = excluded.amount, updated_at = excluded.updated_at
        """,
        "writing like CDC"
      )
      writes += 1
      try? await Task.sleep(for: .milliseconds(10))
    }
    return writes
  }
}
