/// Writes a ``JSONNode`` as text, members in their order.
public struct JSONWriter: Sendable {
  /// Two spaces a level and one member a line; otherwise everything in one line.
  public var isIndented: Bool
  /// Everything outside ASCII as `\uXXXX`, for readers that don't decode a file as UTF-8 in every locale.
  public var isASCIIOnly: Bool

  /// Makes a writer.
  public init(isIndented: Bool = true, isASCIIOnly: Bool = false) {
    self.isIndented = isIndented
    self.isASCIIOnly = isASCIIOnly
  }

  /// The text of a node, without a newline at the end.
  public func text(_ node: JSONNode) -> String {
    var text = ""
    write(node, depth: 0, to: &text)
    return text
  }

  private func write(_ node: JSONNode, depth: Int, to text: inout String) {
    switch node.value {
    case .null: text += "null"
    case .bool(let flag): text += flag ? "true" : "false"
    case .number(let spelling): text += spelling
    case .string(let string): write(string, to: &text)
    case .array(let elements):
      write(elements, between: "[", and: "]", depth: depth, to: &text) { element, text in
        write(element, depth: depth + 1, to: &text)
      }
    case .object(let members):
      write(members, between: "{", and: "}", depth: depth, to: &text) { member, text in
        write(member.name, to: &text)
        text += isIndented ? ": " : ":"
        write(member.node, depth: depth + 1, to: &text)
      }
    }
  }

  private func write<Element>(
    _ elements: [Element],
    between opening: String,
    and closing: String,
    depth: Int,
    to text: inout String,
    each: (Element, inout String) -> Void
  ) {
    text += opening
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      newLine(depth: depth + 1, to: &text)
      each(element, &text)
    }
    if !elements.isEmpty { newLine(depth: depth, to: &text) }
    text += closing
  }

  private func newLine(depth: Int, to text: inout String) {
    guard isIndented else { return }
    text += "\n" + String(repeating: "  ", count: depth)
  }

  private func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      default:
        if scalar.value < 0x20 || (isASCIIOnly && scalar.value > 0x7E) {
          for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter { text += escape(unit) }
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    text += "\""
  }

  private func escape(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }
}
