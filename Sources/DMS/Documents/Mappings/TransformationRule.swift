/// A rule of type `transformation`: how something is called on the target.
///
/// DMS applies **one** action to an object: of several rules that meet it, the one with the lowest `rule-id`.
public struct TransformationRule: Codable, Hashable, Sendable {
  /// `rule-type`.
  public var ruleType = RuleKind.transformation
  /// `rule-id`, a number written as text, unique in the document.
  public var ruleID: String
  /// `rule-name`, unique in the document.
  public var ruleName: String
  /// `rule-target`.
  public var ruleTarget: Target
  /// `object-locator`.
  public var objectLocator: ObjectLocator
  /// `rule-action`. Case-sensitive.
  public var ruleAction: Action
  /// `value`: the new name, for actions that need one.
  public var value: String?

  /// What kind of object a transformation rule speaks of.
  public enum Target: String, Codable, Sendable, CaseIterable {
    /// A schema.
    case schema
    /// A table.
    case table
    /// A column.
    case column
    /// The tablespace of a table; Oracle targets only.
    case tableTablespace = "table-tablespace"
    /// The tablespace of an index; Oracle targets only.
    case indexTablespace = "index-tablespace"
  }

  /// The actions that AWS documents. `convert-column-type` is not among them.
  public enum Action: String, Codable, Sendable, CaseIterable {
    /// Another name.
    case rename
    /// The name in lower case.
    case convertLowercase = "convert-lowercase"
    /// The name in upper case.
    case convertUppercase = "convert-uppercase"
    /// Something before the name.
    case addPrefix = "add-prefix"
    /// The name without its beginning.
    case removePrefix = "remove-prefix"
    /// The name with another beginning.
    case replacePrefix = "replace-prefix"
    /// Something after the name.
    case addSuffix = "add-suffix"
    /// The name without its end.
    case removeSuffix = "remove-suffix"
    /// The name with another end.
    case replaceSuffix = "replace-suffix"
    /// A column that the source does not have.
    case addColumn = "add-column"
    /// Only these columns.
    case includeColumn = "include-column"
    /// Not this column.
    case removeColumn = "remove-column"
    /// A primary key on the target.
    case definePrimaryKey = "define-primary-key"
    /// Another type; columns only.
    case changeDataType = "change-data-type"
    /// Columns with the values before a change.
    case addBeforeImageColumns = "add-before-image-columns"
    /// Digits replaced by one character.
    case maskDigits = "data-masking-digits-mask"
    /// Digits replaced by other digits.
    case randomizeDigits = "data-masking-digits-randomize"
    /// The value replaced by a hash.
    case hashMask = "data-masking-hash-mask"
  }

  enum CodingKeys: String, CodingKey {
    case ruleType = "rule-type"
    case ruleID = "rule-id"
    case ruleName = "rule-name"
    case ruleTarget = "rule-target"
    case objectLocator = "object-locator"
    case ruleAction = "rule-action"
    case value
  }
}
