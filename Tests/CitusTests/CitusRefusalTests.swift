import Foundation
import TestSupport
import Testing

/// What can't be merged right is refused before anything is written, by plan as by merge.
@Suite struct CitusRefusalTests {
  @Test(arguments: [
    (
      "SELECT create_distributed_table('staging.orders', 'order_id')",
      "staging.orders is distributed by order_id over 8 shards"
    ),
    ("SELECT create_reference_table('staging.orders')", "staging.orders is a reference table"),
    (
      "SELECT citus_add_local_table_to_metadata('staging.orders')", "staging.orders is a local table that Citus manages"
    ),
    (
      "CREATE EXTENSION citus_columnar; SELECT alter_table_set_access_method('staging.orders', 'columnar')",
      "staging.orders stores its rows by columnar"
    ),
  ])
  func stagingThatCantBeReadByBlocks(statement: String, message: String) async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100)
      try database.run(statement)
      try await expectRefusal(message, database)
    }
  }

  @Test func productionThatIsAReferenceTable() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100, distributes: false)
      try database.run("SELECT create_reference_table('production.orders')")
      try await expectRefusal("production.orders is a reference table", database)
    }
  }

  @Test func productionThatIsColumnar() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100, distributes: false)
      try database.run(
        "CREATE EXTENSION citus_columnar; SELECT alter_table_set_access_method('production.orders', 'columnar')"
      )
      try await expectRefusal("production.orders stores its rows by columnar", database)
    }
  }

  @Test func imagesOfDistributedTables() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 100)
      try await expectRefusal("Merge without --before-images", database, options: ["--before-images"])
    }
  }

  /// The way round that the message names.
  @Test func distributedStagingIsMergedFromFiles() async throws {
    try await CitusCluster.withDatabase { _, database in
      try Orders.prepare(database, count: 5000)
      try database.run("SELECT create_distributed_table('staging.orders', 'order_id')")
      let folder = FileManager.default.temporaryDirectory.appending(path: "merge-engine-citus-\(UUID().uuidString)")
        .path
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let saved = try await database.call("snapshot", "save", folder)
      #expect(saved.status == 0, "\(saved.errors)")
      let replayed = try await database.call("replay", folder)
      #expect(replayed.status == 0, "\(replayed.errors)")
      #expect(try database.difference("TABLE production.orders", "TABLE public.expected") == [])
    }
  }

  private func expectRefusal(_ message: String, _ database: TestDatabase, options: [String] = []) async throws {
    let before = try database.sortedRows("TABLE production.orders")
    for command in ["plan", "merge"] {
      let outcome = try await database.call(command, arguments: options)
      #expect(outcome.status == 73, "\(command): \(outcome.output)\(outcome.errors)")
      #expect((outcome.output + outcome.errors).replacing(/\s+/, with: " ").contains(message), "\(outcome.errors)")
    }
    #expect(try database.sortedRows("TABLE production.orders") == before)
  }
}
