import Foundation
import MergeEngine
import Synchronization
import TestSupport
import Testing

/// What goes wrong is a value that a program can decide by.
@Suite struct MergeErrorTests {
  @Test func `options out of bounds are refused by their own names, before a database is asked`() async throws {
    let nowhere = Merger(try ConnectionDescription("postgresql:///x?host=/nowhere&user=nobody"))
    var options = MergeOptions()
    options.batchRows = 0
    let wrong = options
    await #expect(throws: MergeError.invalidRequest("batchRows is 0; it must be from 1 to 10000000.")) {
      try await nowhere.merge(options: wrong)
    }
    await #expect(throws: MergeError.invalidRequest("sampleLimit is -1; it must be from 0 to 1000.")) {
      try await nowhere.plan(sampleLimit: -1)
    }
    await #expect(throws: MergeError.invalidRequest("runLimit is 0; it must be from 1 to 2147483647.")) {
      try await nowhere.status(runLimit: 0)
    }
    var repairing = RepairOptions(path: "differences")
    repairing.maxExtraPercent = 101
    let percent = repairing
    await #expect(throws: MergeError.invalidRequest("maxExtraPercent is 101.0; it must be from 0.0 to 100.0.")) {
      try await nowhere.repair(percent)
    }
  }

  @Test func `a database that isn't there, a table that isn't, and one that is taken are told apart`() async throws {
    let nowhere = Merger(try ConnectionDescription("postgresql:///x?host=/nowhere&user=nobody"))
    await #expect {
      try await nowhere.merge()
    } throws: { error in
      guard case .unreachable(let server) = error as? MergeError else { return false }
      return server.sqlState == nil && server.message.contains("/nowhere")
    }
    try await TestDatabase.withRows(10) { database in
      let merger = try Merger(database)
      var options = MergeOptions()
      options.tables = ["tt"]
      let misspelt = options
      await #expect {
        try await merger.merge(options: misspelt)
      } throws: { error in
        guard case .blocked(let findings) = error as? MergeError else { return false }
        return findings.map(\.table) == ["tt"] && findings.map(\.kind) == [.notFound] && findings[0].grade == .blocker
      }
      options.tables = nil
      options.from = "7"
      options.to = "3"
      let backwards = options
      await #expect(throws: MergeError.invalidRequest("from 7 is not before to 3.")) {
        try await merger.merge(options: backwards)
      }

      _ = try await merger.merge()
      try database.run("INSERT INTO staging.t SELECT n, 6, 's' FROM generate_series(1, 10) n")
      let blocker = try database.connect()
      try blocker.run("BEGIN; LOCK TABLE production.t IN EXCLUSIVE MODE")
      let first = Task { try await merger.merge() }
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      await #expect(throws: MergeError.busy(table: "t")) { try await merger.merge() }
      try blocker.run("ROLLBACK")
      #expect(try await first.value.status == .success)
    }
  }

  @Test func `the words of a finding and of an error name properties, never flags`() async throws {
    try await TestDatabase.with { database in
      try database.run("CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, updated_at int)")
      let merger = try Merger(database)
      await #expect {
        try await merger.merge()
      } throws: { error in
        let text = "\((error as? MergeError).map { "\($0)" } ?? "")"
        return text.contains("schemas.staging") && !text.contains("--")
      }
      var options = MergeOptions()
      options.timeZone = "Nowhere/Else"
      try database.run("CREATE SCHEMA staging; CREATE TABLE staging.t (id int, updated_at int)")
      let wrong = options
      await #expect {
        try await merger.merge(options: wrong)
      } throws: { error in
        guard case .invalidRequest(let sentence) = error as? MergeError else { return false }
        return sentence.hasPrefix("timeZone Nowhere/Else: ")
      }
    }
  }

  @Test func `a connection description shows no secret, and asks for a password when it connects`() async throws {
    let description = try ConnectionDescription("postgresql://u:secret@db.example:5432/shop")
    #expect(description.description == "database shop on db.example:5432")
    var dumped = ""
    dump(description, to: &dumped)
    #expect(!dumped.contains("secret"))
    #expect {
      try ConnectionDescription("postgresql://u:sec/ret@h/d")
    } throws: { error in
      guard case .invalidRequest(let sentence) = error as? MergeError else { return false }
      return !sentence.contains("ret@") && sentence.contains("%2F")
    }

    try await TestDatabase.withRows(10) { database in
      let count = Mutex(0)
      let asking = try ConnectionDescription(database.connectionString).password {
        count.withLock { $0 += 1 }
        return "not needed over the socket"
      }
      _ = try await Merger(asking).status()
      #expect(count.withLock { $0 } == 1)
      struct NoStore: Error {}
      let failing = Merger(try ConnectionDescription(database.connectionString).password { throw NoStore() })
      await #expect {
        try await failing.status()
      } throws: { error in
        guard case .unreachable(let server) = error as? MergeError else { return false }
        return server.message.contains("NoStore")
      }
    }
  }
}
