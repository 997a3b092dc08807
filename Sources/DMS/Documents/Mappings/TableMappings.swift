/// The table-mapping document of a DMS task: `{"rules": [ … ]}`.
///
/// Format: <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TableMapping.html>.
public struct TableMappings: Codable, Hashable, Sendable {
  /// The rules.
  public var rules: [MappingRule]

  /// Makes a document.
  public init(rules: [MappingRule]) { self.rules = rules }

  /// The document as text, keys in DMS's usual order, with a newline at the end.
  public func document() throws -> String { try OrderedJSONEncoder().document(self) }
}
