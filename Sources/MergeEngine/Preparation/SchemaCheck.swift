import Libpq
import Spelling

/// Whether schemas are there, and which one was meant if not.
struct SchemaCheck {
  private let names: [String]

  /// What is asked.
  static var query: Query {
    Query(
      "SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
      "looking for the schemas"
    )
  }

  init(_ connection: Connection) throws(PostgresError) {
    let rows = try connection.query(Self.query)
    names = (0..<rows.count).compactMap { rows.text($0, 0) }
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` when the schema is missing.
  func require(_ name: String, advice: String) throws {
    guard !isThere(name) else { return }
    throw MergeFailure.blocked([
      .blocker(.notFound, nil, "there is no schema \(name). \(advice)\(Spelling.question(for: name, in: names))")
    ])
  }

  /// For who only looks at what there is, and where staging may be in another database: nothing is no mistake, a slip is.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when another schema was meant.
  func requireNoSlip(_ name: String) throws {
    guard !isThere(name), Spelling.closest(to: name, in: names) != nil else { return }
    try require(name, advice: "Name the one that is there.")
  }

  private func isThere(_ name: String) -> Bool { names.contains { Identifier($0) == Identifier(name) } }
}
