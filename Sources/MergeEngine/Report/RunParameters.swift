import Foundation

/// The options of a run, as `merge_summary.parameters` has them, one line each.
enum RunParameters {
  /// Objects become dotted names, arrays lists; names in alphabetical order.
  static func lines(_ json: String?) -> [StoredRun.Parameter] {
    JSONText.decode(Value.self, json).map { lines($0, name: "") } ?? []
  }

  private indirect enum Value: Decodable {
    case null, bool(Bool), number(Decimal), text(String), array([Value]), object([String: Value])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .null
      } else if let value = try? container.decode(Bool.self) {
        self = .bool(value)
      } else if let value = try? container.decode(Decimal.self) {
        self = .number(value)
      } else if let value = try? container.decode(String.self) {
        self = .text(value)
      } else if let value = try? container.decode([Value].self) {
        self = .array(value)
      } else {
        self = .object(try container.decode([String: Value].self))
      }
    }

    var text: String? {
      switch self {
      case .null: nil
      case .bool(let value): value ? "yes" : "no"
      case .number(let value): "\(value)"
      case .text(let value): value
      case .array(let values): values.isEmpty ? nil : values.map { $0.text ?? "null" }.joined(separator: ", ")
      case .object(let values): values.isEmpty ? nil : values.keys.sorted().joined(separator: ", ")
      }
    }
  }

  private static func lines(_ value: Value, name: String) -> [StoredRun.Parameter] {
    guard case .object(let members) = value, !members.isEmpty else {
      return [StoredRun.Parameter(name: name, value: value.text)]
    }
    return members.sorted { $0.key < $1.key }.flatMap { key, value in
      lines(value, name: name.isEmpty ? key : "\(name).\(key)")
    }
  }
}
