import TestSupport
import Testing

/// Every batch locks all partitions of its table and their indexes; a small server has no room for many of them.
@Suite struct LockTableTests {
  @Test func `fewer workers are taken where the lock table has no room for all, and none where it has for none`()
    async throws
  {
    let settings = ["max_locks_per_transaction": "10", "max_connections": "20", "autovacuum": "off"]
    try await TestServer.withOwn(settings: settings) { cluster in
      let database = try TestDatabase(connectionString: cluster.connectionString())
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE TABLE production.t (id integer PRIMARY KEY, updated_at timestamp) PARTITION BY RANGE (id);
        CREATE TABLE staging.t (id integer, updated_at timestamp);
        INSERT INTO staging.t SELECT n, now() FROM generate_series(1, 100) n;
        """
      )
      try addPartitions(0..<120, database)
      let plan = try await database.call("plan", "--workers", "8")
      #expect(plan.status == 0, "\(plan.everything)")
      #expect(plan.output.contains("the merge uses 2 of 8 workers"), "\(plan.everything)")
      #expect(plan.output.contains("ALTER SYSTEM SET max_locks_per_transaction ="))
      let merge = try await database.call("--workers", "8", "--batch", "10", "--json")
      #expect(merge.status == 0, "\(merge.everything)")
      #expect(try merge.json()["workers"].integer == 2)

      try addPartitions(120..<600, database)
      for command in ["plan", "merge"] {
        let blocked = try await database.call(command)
        #expect(blocked.status == 73, "\(blocked.everything)")
        #expect(blocked.everything.contains("locks 1242 partitions and indexes"))
        #expect(blocked.everything.contains("ALTER SYSTEM SET max_locks_per_transaction ="))
      }
    }
  }

  /// In pieces: making them takes as many locks.
  private func addPartitions(_ numbers: Range<Int>, _ database: TestDatabase) throws {
    for number in numbers {
      try database.run(
        """
        CREATE TABLE production.t_\(number) PARTITION OF production.t
        FOR VALUES FROM (\(number * 10)) TO (\(number * 10 + 10))
        """
      )
    }
  }
}
