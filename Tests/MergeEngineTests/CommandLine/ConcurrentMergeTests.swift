import Libpq
import TestSupport
import Testing

/// Two merges at once, and others that hold locks.
@Suite struct ConcurrentMergeTests {
  @Test func `a second merge of the same table ends with 75 and writes nothing`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      try database.letBatchesWait()
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let first = try database.launch(["--workers", "1", "--max-lock-time", "600000", "--lock-timeout", "0", "--json"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let before = try database.contents()
      for arguments in [[], ["--table", "orders"], ["--atomic"]] {
        let second = try await database.call(arguments: arguments)
        #expect(second.status == 75)
        #expect(second.errors.contains("holds the table"))
        #expect(second.output == "")
      }
      #expect(try database.contents() == before)
      try other.run("ROLLBACK")
      #expect(try await first.outcome().status == 0)
      #expect(try database.differencesFromExpected() == 0)
      #expect(try database.runStatuses() == "SUCCESS")
    }
  }

  @Test func `merges of different tables do not hinder each other`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let first = try database.launch(["--table", "orders"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      #expect(try await database.call("--table", "customers").status == 0)
      // The live run is not taken for a dead one.
      #expect(try database.runStatuses() == "RUNNING SUCCESS")
      try other.run("ROLLBACK")
      #expect(try await first.outcome().status == 0)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `a row that another session holds longer than the lock timeout is tried again`() async throws {
    try await TestDatabase.with(copyOf: .expectedGuide) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let merge = try database.launch(["--lock-timeout", "2000", "--json"])
      // Seen waiting twice: it has given up in between.
      for _ in 0..<2 {
        try await database.wait(for: TestDatabase.somebodyWaitsForALock)
        try await database.wait(for: "NOT " + TestDatabase.somebodyWaitsForALock)
      }
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status == 0)
      #expect(try database.differencesFromExpected() == 0)
    }
  }

  @Test func `a row that CDC makes newer meanwhile stays as CDC wrote it, as a lost race`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      let cdc = try database.connect()
      try cdc.run(
        """
        BEGIN; UPDATE production.orders SET amount = 1, updated_at = '2026-01-01' WHERE order_id = 8;
        INSERT INTO production.orders VALUES (11, 1, 2, '2026-01-01', '2026-01-01'), (21, 1, 3, NULL, '2024-01-01')
        """
      )
      let merge = try database.launch(["--json"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      try cdc.run("COMMIT")
      let outcome = try await merge.outcome()
      #expect(outcome.status == 0)
      #expect(try database.holds("SELECT amount = 1 FROM production.orders WHERE order_id = 8"))
      #expect(try database.holds("SELECT amount = 2 FROM production.orders WHERE order_id = 11"))
      #expect(try database.holds("SELECT amount = 21.75 FROM production.orders WHERE order_id = 21"))
      let orders = try outcome.json()["tables"].table("orders")
      #expect(orders["errors"].integer == 0)
      let read = ["inserted", "updated", "unchanged", "stale", "duplicate"].reduce(0) { $0 + (orders[$1].integer ?? 0) }
      #expect(orders["read"].integer == read)
    }
  }
}
