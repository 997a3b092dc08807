/// The keys of mapping documents and what belongs to them, as AWS documents them.
enum MappingVocabulary {
  /// What a key's value must be.
  enum Shape {
    case text
    case textOrNumber
    case object
    case array
    case anything

    func fits(_ node: JSONNode) -> Bool {
      switch (self, node.value) {
      case (.anything, _), (.text, .string), (.object, .object), (.array, .array): true
      case (.textOrNumber, .string), (.textOrNumber, .number): true
      default: false
      }
    }

    var inWords: String {
      switch self {
      case .text: "a string"
      case .textOrNumber: "a number, written as a string"
      case .object: "an object"
      case .array: "an array"
      case .anything: "a value"
      }
    }
  }

  private static let common: [String: Shape] = [
    "rule-type": .text, "rule-id": .textOrNumber, "rule-name": .textOrNumber, "rule-action": .text,
    "object-locator": .object,
  ]

  static let keysOfRule: [RuleKind: [String: Shape]] = [
    .selection: common.adding(["load-order": .textOrNumber, "filters": .array]),
    .transformation: common.adding([
      "rule-target": .text, "value": .text, "old-value": .text, "data-type": .object, "expression": .text,
      "primary-key-def": .object, "before-image-def": .object, "data-masking": .object,
    ]),
    .tableSettings: common.adding([
      "parallel-load": .object, "lob-settings": .object, "isAutoSegmentationChecked": .anything,
    ]),
  ]

  static let neededKeysOfRule: [RuleKind: [String]] = [
    .selection: ["rule-id", "rule-name", "rule-action", "object-locator"],
    .transformation: ["rule-id", "rule-name", "rule-target", "rule-action", "object-locator"],
    .tableSettings: ["rule-id", "rule-name", "object-locator"],
  ]

  static let locator: [String: Shape] = [
    "schema-name": .text, "table-name": .text, "table-type": .text, "column-name": .text, "data-type": .text,
    "table-tablespace-name": .text, "index-tablespace-name": .text,
  ]

  static let filter: [String: Shape] = ["filter-type": .text, "column-name": .text, "filter-conditions": .array]

  static let condition: [String: Shape] = [
    "filter-operator": .text, "value": .textOrNumber, "start-value": .textOrNumber, "end-value": .textOrNumber,
  ]

  static let parallelLoad: [String: Shape] = [
    "type": .text, "partitions": .array, "subpartitions": .array, "columns": .array, "boundaries": .array,
    "number-of-partitions": .textOrNumber,
  ]

  static let lobSettings: [String: Shape] = ["mode": .text, "bulk-max-size": .textOrNumber]

  static let dataType: [String: Shape] = [
    "type": .text, "precision": .anything, "scale": .anything, "length": .anything,
  ]

  /// Rule types that belong to targets other than PostgreSQL; the lint leaves such rules alone.
  static let foreignRuleTypes: Set<String> = ["object-mapping", "post-processing", "validation"]

  /// The types that `data-type.type` may name.
  static let dataTypes: [String] = [
    "bytes", "date", "time", "datetime", "int1", "int2", "int4", "int8", "numeric", "real4", "real8", "string", "uint1",
    "uint2", "uint4", "uint8", "wstring", "blob", "nclob", "clob", "boolean", "set", "list", "map", "tuple",
  ]
}

extension Dictionary {
  fileprivate func adding(_ other: [Key: Value]) -> [Key: Value] { merging(other) { $1 } }
}
