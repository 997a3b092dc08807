import MergeEngine
import TestSupport
import Testing

/// What happens to commands that only look when somebody asks to stop.
@Suite struct StopTests {
  @Test func `a request to stop ends plan and verify as ABORTED`() async throws {
    try await TestDatabase.with { database in
      let columns = "k int PRIMARY KEY, updated_at int"
      try database.makePair(production: columns, staging: columns)
      try database.run("INSERT INTO staging.t SELECT n, 1 FROM generate_series(1, 1000) n")
      let holder = try database.connect()
      for isPlan in [true, false] {
        try holder.run("BEGIN; LOCK TABLE staging.t IN ACCESS EXCLUSIVE MODE")
        let stop = StopSignal()
        let target = database.target
        let status = Task {
          try await onItsOwnThread {
            isPlan
              ? try DryRun(target: target, options: MergeOptions(), logger: .silent, stop: stop).run().status.rawValue
              : try Verification(target: target, options: VerifyOptions(), logger: .silent, stop: stop).run().status
                .rawValue
          }
        }
        try await database.waitForBlockedSessions()
        stop.request(signal: 2)
        #expect(try await status.value == "ABORTED")
        try holder.run("COMMIT")
      }
    }
  }
}
