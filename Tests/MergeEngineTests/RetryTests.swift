import MergeEngine
import TestSupport
import Testing

/// Locks, deadlocks and statements that take too long are waited for, a limited number of times.
@Suite struct RetryTests {
  @Test func `a deadlock with CDC is resolved by trying the batch again`() async throws {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      // The engine looks for a deadlock after two seconds, CDC never: so the engine is the one to give way.
      let name = try #require(try database.value("SELECT current_database()"))
      try database.run("ALTER DATABASE \(name) SET deadlock_timeout = '2s'")
      let cdc = try database.connect()
      try cdc.run("SET deadlock_timeout = '60s'; BEGIN; UPDATE production.t SET updated_at = 9, v = 'cdc' WHERE id = 9")
      let merge = database.start()
      try await database.waitForBlockedWorker()
      try cdc.run("UPDATE production.t SET updated_at = 2, v = 'cdc' WHERE id = 1; COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.stale == 1)
      #expect(try database.rows("SELECT * FROM production.t WHERE v <> 's'") == ["(9,9,cdc)"])
      // The server counts them up some time later.
      let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
      try await database.wait(for: "(\(deadlocks)) > 0")
      #expect(try database.count(deadlocks) == 1)
    }
  }

  @Test func `a lock that is released in time is waited for, over several tries`() async throws {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let merge = database.start { $0.lockTimeoutMilliseconds = 100 }
      try await database.waitForBlockedTries(2)
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 5)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a lock that is never released fails its table, and the others go on`() async throws {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      try database.makePair(
        "u",
        production: TestDatabase.rowColumns + ", PRIMARY KEY (id)",
        staging: TestDatabase.rowColumns
      )
      try database.run("INSERT INTO staging.u VALUES (1, 1, 's')")
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let report = try await database.merge {
        $0.lockTimeoutMilliseconds = 50
        $0.workers = 1
      }
      try cdc.run("COMMIT")
      #expect(report.status == .failed)
      #expect(report.failures.first?.contains("55P03") == true)
      #expect(try database.count("SELECT count(*) FROM production.u") == 1)
      #expect(try database.count("SELECT count(*) FROM staging.t WHERE _dms_processing_status = 'NEW'") == 10)
      let second = try await database.merge()
      #expect(second.status == .success)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a statement that takes too long once is tried again`() async throws {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      let cdc = try database.connect()
      try cdc.run("BEGIN; SELECT FROM production.t WHERE id = 5 FOR UPDATE")
      let merge = database.start {
        $0.lockTimeoutMilliseconds = 0
        $0.statementTimeoutMilliseconds = 500
      }
      try await database.waitForBlockedTries(2)
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      #expect(report.totals.updated == 5)
      try database.expectEverythingMerged()
    }
  }

  @Test func `a table that can't be prepared for a while is prepared again, on a connection without leftovers`()
    async throws
  {
    try await TestDatabase.withRows(10, in: .sleeping) { database in
      // Reading may be prepared under this lock, writing may not.
      let cdc = try database.connect()
      try cdc.run("BEGIN; LOCK TABLE production.t IN SHARE MODE")
      let merge = database.start { $0.lockTimeoutMilliseconds = 100 }
      try await database.waitForBlockedTries(2)
      try cdc.run("COMMIT")
      let report = try await database.finish(merge)
      #expect(report.status == .success, "\(report.failures)")
      try database.expectEverythingMerged()
    }
  }
}
