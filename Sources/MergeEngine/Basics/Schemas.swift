/// The schemas a merge works in.
public struct Schemas: Sendable, Codable, Hashable {
  /// Where DMS loads to.
  public var staging = "staging"
  /// Where CDC writes to.
  public var production = "production"
  /// Where runs, counts and refused rows are recorded.
  public var admin = "admin"
  /// Further pairs that are worked on together with ``staging`` and ``production``; nil for none.
  public var otherPairs: [SchemaPair]?

  /// The contract's names.
  public init() {}

  /// All pairs, at least one.
  package var pairs: [SchemaPair] { [SchemaPair(staging: staging, production: production)] + (otherPairs ?? []) }

  /// Tables are called with their schema, since two pairs may each have one of the same name.
  package var hasSeveralPairs: Bool { otherPairs?.isEmpty == false }

  /// The same with one pair each.
  var each: [Schemas] {
    pairs.map { pair in
      var schemas = self
      schemas.staging = pair.staging
      schemas.production = pair.production
      schemas.otherPairs = nil
      return schemas
    }
  }

  /// The same with this pair alone.
  func of(_ pair: SchemaPair) -> Schemas { each.first { $0.production == pair.production } ?? self }

  /// The pair and the plain name of a table as it is called: with production's schema, which with several pairs it has to have.
  ///
  /// - Returns: nil with several pairs for a plain name.
  package func place(of table: String) -> (pair: SchemaPair, name: String)? {
    // A schema may have dots in its name, too.
    let named = pairs.filter { table.hasPrefix($0.production + ".") }
    guard let pair = named.max(by: { $0.production.count < $1.production.count }) else {
      return hasSeveralPairs ? nil : (pairs[0], table)
    }
    return (pair, String(table.dropFirst(pair.production.count + 1)))
  }

  /// The staging schemas of all pairs.
  var allStaging: [String] { pairs.map(\.staging) }
  /// The production schemas of all pairs.
  var allProduction: [String] { pairs.map(\.production) }

  /// - Throws: ``MergeFailure/usage(_:)`` when staging is production: it would be marked, extended, and truncated; and when a
  ///   schema is in two pairs.
  func requireTwo() throws(MergeFailure) {
    for pair in pairs where pair.staging == pair.production {
      throw .usage("the staging and the production schema are the same: \(pair.staging). Name two different ones.")
    }
    try requireDistinct()
  }

  /// - Throws: ``MergeFailure/usage(_:)`` when a schema is in two pairs.
  func requireDistinct() throws(MergeFailure) {
    guard hasSeveralPairs else { return }
    var seen: Set<String> = []
    for name in allStaging + allProduction where !seen.insert(name).inserted {
      let list = pairs.map { "\($0.staging) with \($0.production)" }.joined(separator: ", ")
      throw .usage("the schema \(name) is named in two pairs, and belongs to one: \(list).")
    }
  }
}
