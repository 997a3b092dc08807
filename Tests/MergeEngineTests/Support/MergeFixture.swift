import Foundation
import MergeEngine
import TestSupport
import Testing

/// A folder of `Fixtures/guide`: tables before and after a merge, as CSV.
struct MergeFixture: Sendable, CustomTestStringConvertible {
  /// What `case.json` holds.
  struct Description: Decodable {
    let claim: String
    let options: Options
    let counts: [String: Counts]

    struct Options: Decodable {
      let nulls: MergeOptions.NullRule?
      let mark: MergeOptions.Mark?
      let from: String?
      let to: String?
    }

    /// Verdicts when every table is one batch.
    struct Counts: Decodable, Equatable {
      var read, inserted, updated, unchanged, stale, duplicate: Int
    }
  }

  let name: String
  let description: Description

  static let tables = [(name: "customers", key: "customer_id"), (name: "orders", key: "order_id")]

  private static let folder = URL(filePath: #filePath)
    .deletingLastPathComponent().appending(path: "../../../Fixtures/guide").standardizedFileURL

  /// All cases there are.
  static let all: [MergeFixture] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().compactMap { name in
      guard let json = try? Data(contentsOf: folder.appending(path: "\(name)/case.json")) else { return nil }
      do {
        return MergeFixture(name: name, description: try JSONDecoder().decode(Description.self, from: json))
      } catch {
        preconditionFailure("\(name)/case.json: \(error)")
      }
    }
  }()

  var testDescription: String { "\(name): \(description.claim)" }

  /// Makes the tables as they are before the merge.
  ///
  /// Staging is filled at a tenth of each block, so that a few rows make several batches.
  func load(into database: TestDatabase) throws {
    try database.run(try #require(Self.read("schema.sql")))
    if let change = Self.read("\(name)/change.sql") { try database.run(change) }
    for table in Self.tables {
      try database.run("ALTER TABLE staging.\(table.name) SET (fillfactor = 10)")
      for schema in ["production", "staging"] {
        guard let csv = Self.read("\(name)/\(schema).\(table.name).csv") else { continue }
        try database.copy(csv: csv, into: "\(schema).\(table.name)")
      }
    }
  }

  /// Rows that production has and should not have, or should have and has not; and the same for marks.
  func differences(_ database: TestDatabase) throws -> [String] {
    try Self.tables.flatMap { table in
      try difference(
        database,
        "production.\(table.name)",
        "SELECT * FROM production.\(table.name)",
        "\(name)/expected-production.\(table.name).csv"
      )
        + difference(
          database,
          "staging.\(table.name)",
          "SELECT \(table.key), _dms_processing_status FROM staging.\(table.name)",
          "\(name)/expected-marks.\(table.name).csv"
        )
    }
  }

  private func difference(
    _ database: TestDatabase,
    _ table: String,
    _ found: String,
    _ file: String
  ) throws -> [String] {
    try database.run("CREATE TEMP TABLE expected AS \(found) LIMIT 0")
    defer { _ = try? database.run("DROP TABLE expected") }
    if let csv = Self.read(file) { try database.copy(csv: csv, into: "expected") }
    return try database.difference(found, "TABLE expected").map { "\(table): \($0)" }
  }

  private static func read(_ path: String) -> String? {
    try? String(contentsOf: folder.appending(path: path), encoding: .utf8)
  }
}
