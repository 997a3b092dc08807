/// Everything that the lint has to say about one document.
public struct LintReport: Codable, Hashable, Sendable {
  /// What the document is.
  public enum Kind: String, Codable, Sendable {
    /// A table-mapping document.
    case mappings
    /// A task-settings document.
    case settings
    /// The request of `CreateReplicationConfig`, with both documents in it.
    case replicationConfig = "replication-config"
    /// Neither, or no JSON at all.
    case unknown
  }

  /// What the document was taken for.
  public let kind: Kind
  /// The findings, in the order of their places in the file.
  public let findings: [Finding]

  /// How many findings have that grade.
  public func count(_ grade: Grade) -> Int { findings.count { $0.grade == grade } }

  /// Whether there is an error among them: the lint's exit status depends on it.
  public var hasErrors: Bool { findings.contains { $0.grade == .error } }
}
