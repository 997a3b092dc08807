/// A staging schema and the production schema that it is merged into.
public struct SchemaPair: Sendable, Codable, Hashable {
  /// Where DMS loads to.
  public let staging: String
  /// Where CDC writes to.
  public let production: String

  /// Two schemas, by their names.
  public init(staging: String, production: String) {
    self.staging = staging
    self.production = production
  }

  /// Reads `staging=production`, as it is written in options and in files.
  ///
  /// - Returns: nil for anything else.
  public init?(_ text: String) {
    let names = text.split(separator: "=", omittingEmptySubsequences: false)
    guard names.count == 2, names.allSatisfy({ !$0.isEmpty }) else { return nil }
    self.init(staging: String(names[0]), production: String(names[1]))
  }

  /// `staging=production`
  package var name: String { "\(staging)=\(production)" }
}
