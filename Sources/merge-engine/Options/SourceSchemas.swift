import MergeEngine

/// Oracle's schemas of tables that name none: one for all, or one for each of several pairs of schemas.
struct SourceSchemas {
  private var ofAll: String?
  private var ofPairs: [String: String] = [:]

  /// Nothing is known.
  init() {}

  /// Reads `NAME` and `PRODUCTION=NAME`, as they are typed; of several for the same the last counts.
  init(_ words: [String]) throws {
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.allSatisfy({ !$0.isEmpty }) else {
        throw MergeFailure.usage(
          "--source-schema \(word): write the name of Oracle's schema, or PRODUCTION=NAME once for each pair of schemas."
        )
      }
      if parts.count == 2 { ofPairs[parts[0]] = parts[1] } else { ofAll = word }
    }
  }

  /// Reads a name, or names by production's schemas, as they stand in the file.
  init(_ value: ConfigurationValue) throws {
    guard value.node.mapping == nil else {
      ofPairs = try value.names()
      return
    }
    guard value.node.scalar != nil else { throw value.expected("a text, or one for each of production's schemas") }
    ofAll = try value.string()
  }

  /// Oracle's schema of the tables that are merged into a schema; nil if nobody has said it.
  func schema(of production: String) -> String? { ofPairs[production] ?? ofAll }
}
