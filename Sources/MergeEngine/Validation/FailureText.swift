import Foundation

/// Texts in DMS's table of failures, as DMS writes them.
enum FailureText {
  /// Why a key can't be read.
  struct Unreadable: Error {
    let reason: String
  }

  /// The values of a key: `{"key":	["3451491"]}`, in the order of the key's columns.
  static func key(_ text: String) throws(Unreadable) -> [String] {
    guard let parsed = try? JSONDecoder().decode(Key.self, from: Data(text.utf8)) else {
      throw Unreadable(reason: "it is not of the form {\"key\": [\"value\"]}, or was cut off")
    }
    var values: [String] = []
    for value in parsed.values {
      guard let value else { throw Unreadable(reason: "a value of it is NULL") }
      values.append(value)
    }
    return values
  }

  private struct Key: Decodable {
    let values: [String?]

    private struct Name: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }

      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    /// A value with or without quotes.
    private struct Value: Decodable {
      let text: String?

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
          text = nil
        } else if let string = try? container.decode(String.self) {
          text = string
        } else {
          text = "\(try container.decode(Decimal.self))"
        }
      }
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Name.self)
      guard let name = container.allKeys.first(where: { $0.stringValue.lowercased() == "key" }) else {
        throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "there is no key"))
      }
      values = try container.decode([Value].self, forKey: name).map(\.text)
    }
  }

  /// A column that differs.
  struct Column: Hashable {
    let name: String
    /// Oracle's value; nil for NULL.
    let source: String?
    /// Production's, as it was; nil for NULL.
    let target: String?
  }

  /// The columns that differ: `[[{'AMOUNT': '1'}, {'AMOUNT': '2'}],]`, Oracle's value first.
  ///
  /// - Returns: nil for a text of another form, one that was cut off among them.
  static func details(_ text: String) -> [Column]? {
    // Until the quote that a brace follows: AWS does not say how quotes within a value are written.
    let entry = /\{\s*'([^']+)'\s*:\s*(?:'(.*?)'|([^'}]*?))\s*\}(?=\s*[,\]])/.dotMatchesNewlines()
    let values = text.matches(of: entry).map { match in
      (name: String(match.1), value: match.2.map(String.init) ?? nullable(match.3.map(String.init) ?? ""))
    }
    guard !values.isEmpty, values.count.isMultiple(of: 2), text.hasSuffix("]") else { return nil }
    let pairs = stride(from: 0, to: values.count, by: 2).map { (values[$0], values[$0 + 1]) }
    guard pairs.allSatisfy({ $0.0.name == $0.1.name }) else { return nil }
    return pairs.map { Column(name: $0.0.name, source: $0.0.value, target: $0.1.value) }
  }

  private static func nullable(_ word: String) -> String? {
    ["none", "null", ""].contains(word.lowercased()) ? nil : word
  }

  /// Whether two texts, DMS's and the server's, mean the same value.
  static func isSame(_ first: String?, _ second: String?) -> Bool {
    guard let first, let second else { return first == nil && second == nil }
    let (one, two) = (first.trimmingSuffix(while: \.isWhitespace), second.trimmingSuffix(while: \.isWhitespace))
    if one == two { return true }
    if let left = number(one), let right = number(two) { return left == right }
    if let left = time(one), let right = time(two) { return left == right }
    return false
  }

  /// `+1.10106036e-01` and `7.50`.
  private static func number(_ text: Substring) -> Decimal? {
    guard text.wholeMatch(of: /[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?/) != nil else { return nil }
    return Decimal(string: String(text))
  }

  /// A time without the zeros at the end of its fraction, or of midnight.
  private static func time(_ text: Substring) -> Substring? {
    guard text.wholeMatch(of: /\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?/) != nil else { return nil }
    var time = Substring(text.replacing("T", with: " "))
    if time.contains(".") { time = time.trimmingSuffix { $0 == "0" }.trimmingSuffix { $0 == "." } }
    if time.hasSuffix(" 00:00:00") { time = time.dropLast(9) }
    return time
  }
}

extension StringProtocol {
  fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> Substring {
    var end = endIndex
    while end > startIndex, isTrimmed(self[index(before: end)]) { end = index(before: end) }
    return Substring(self[startIndex..<end])
  }
}
