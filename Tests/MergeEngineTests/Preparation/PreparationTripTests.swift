import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// What preparing a merge costs a client that waits for each answer.
@Suite struct PreparationTripTests {
  @Test(arguments: [1, 5]) func `all tables are asked about together, and each is rehearsed by itself`(tableCount: Int)
    async throws
  {
    try await TestDatabase.with { database in
      try database.run("CREATE SCHEMA production; CREATE SCHEMA staging")
      for number in 1...tableCount {
        let columns = "(id integer PRIMARY KEY, v text, updated_at integer)"
        try database.run(
          """
          CREATE TABLE production.t\(number) \(columns); CREATE TABLE staging.t\(number) \(columns);
          INSERT INTO staging.t\(number) VALUES (1, 'x', 1)
          """
        )
      }
      // The first run makes the admin schema.
      try await database.merge()
      let connection = try Connection(
        to: ConnectionTarget(database.connectionString),
        applicationName: "merge-engine trips"
      ) { _ in }
      let before = connection.tripCount
      let plan = try Preparation(options: MergeOptions(), logger: .silent)
        .plan(production: connection, staging: connection)
      #expect(plan.tables.count == tableCount)
      // Schemas and catalog; all that is asked about the tables; the rehearsal of the admin tables.
      #expect(connection.tripCount - before == 3 + tableCount)
    }
  }
}
