import Foundation
import TestSupport
import Testing

/// Staging has several rows of a key, as production's equality has it: the newest alone is what production lacks.
@Suite struct RepeatedKeyTests {
  private struct Kind: CustomTestStringConvertible {
    let type: String
    let first: String
    let second: String
    var testDescription: String { type }
  }

  private static let kinds = [
    Kind(type: "int", first: "2", second: "2"), Kind(type: "numeric", first: "2.0", second: "2"),
    Kind(type: "interval", first: "'1 day'", second: "'24:00'"),
    Kind(type: "text COLLATE public.caseless", first: "'x'", second: "'X'"),
    Kind(type: "float8", first: "'-0'", second: "0"),
  ]

  /// Two rows of one key far from each other, the older one first, and others.
  private static func stage(_ kind: Kind, in staging: TestDatabase) throws {
    let type = kind.type.split(separator: " ")[0]
    try staging.run(
      """
      CREATE TABLE staging.t (k \(type), other int, v text, updated_at timestamp);
      INSERT INTO staging.t VALUES (\(kind.first), 0, 'older', '2025-01-01');
      INSERT INTO staging.t SELECT \(kind.first), n, 'other', '2025-01-01' FROM generate_series(1, 500) AS n;
      INSERT INTO staging.t VALUES (\(kind.second), 0, 'newer', '2025-01-03');
      """
    )
  }

  /// False where the server can't.
  private static func produce(_ kind: Kind, in database: TestDatabase) throws -> Bool {
    guard try !kind.type.contains("caseless") || database.makeCaseless() else { return false }
    try database.run(
      """
      CREATE SCHEMA production;
      CREATE TABLE production.t (k \(kind.type), other int, v text, updated_at timestamp, PRIMARY KEY (k, other));
      """
    )
    return true
  }

  private static func requireMended(_ database: TestDatabase, _ others: [String]) async throws {
    let options = others + ["--batch", "100"]
    let merge = try await database.call("merge", arguments: options)
    #expect(merge.status == 0, "\(merge.transcript)")
    let folder = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (change, count) in [
      ("DELETE FROM production.t WHERE other = 0", "missing"),
      ("UPDATE production.t SET updated_at = '2024-01-01', v = 'lost' WHERE other = 0", "outdated"),
    ] {
      try database.run(change)
      let file = folder.appending(path: "\(count).jsonl").path
      let verify = try await database.call(
        "verify",
        arguments: options + ["--recheck-after", "0", "--output", file, "--json"]
      )
      let table = try verify.json()["tables"].table("t")
      #expect(verify.status == 65 && table[count].integer == 1, "\(verify.transcript)")
      let repair = try await database.call("repair", arguments: [file, "--json"] + others)
      #expect(repair.status == 0, "\(repair.transcript)")
      let written = try repair.json()["tables"].table("t")
      #expect((written["inserted"].integer ?? 0) + (written["updated"].integer ?? 0) == 1, "\(repair.transcript)")
      #expect(try database.rows("SELECT v FROM production.t WHERE other = 0") == ["(newer)"])
      let again = try await database.call("verify", arguments: options + ["--recheck-after", "0"])
      #expect(again.status == 0, "\(again.transcript)")
    }
  }

  @Test(arguments: kinds) private func `verify counts it once, and repair writes the newest row`(_ kind: Kind)
    async throws
  {
    try await TestDatabase.with { database in
      guard try Self.produce(kind, in: database) else { return }
      try database.run("CREATE SCHEMA staging")
      try Self.stage(kind, in: database)
      try await Self.requireMended(database, [])
    }
  }

  @Test(arguments: kinds) private func `the same of staging in another database`(_ kind: Kind) async throws {
    try await TestDatabase.withPair { database, staging in
      guard try Self.produce(kind, in: database) else { return }
      try staging.run("CREATE SCHEMA staging")
      try Self.stage(kind, in: staging)
      try await Self.requireMended(database, ["--staging-database", staging.connectionString])
    }
  }
}
