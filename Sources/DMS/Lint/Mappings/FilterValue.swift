/// A value of a filter condition, comparable as far as its text says what it is.
enum FilterValue {
  case time(ScannedTime)
  case number(Double)
  case text(String)

  init(_ text: String) {
    if let number = Double(text) {
      self = .number(number)
    } else if let time = ScannedTime(text), time.fault == nil {
      self = .time(time)
    } else {
      self = .text(text)
    }
  }

  /// Whether this is at most the other; `nil` if the two cannot be compared.
  func isAtMost(_ other: FilterValue) -> Bool? {
    switch (self, other) {
    case (.time(let first), .time(let second)): first.microsecondsSince2000 <= second.microsecondsSince2000
    case (.number(let first), .number(let second)): first <= second
    case (.text(let first), .text(let second)): first <= second
    default: nil
    }
  }

  /// What keeps a text that is meant as a date from being one that DMS documents; `nil` if it is fine or no date.
  static func faultOfDate(_ text: String) -> String? {
    guard looksLikeDate(text) else { return nil }
    guard let time = ScannedTime(text) else { return "it is not of the form YYYY-MM-DD or YYYY-MM-DD HH:MM:SS" }
    if let fault = time.fault { return fault }
    if !time.zone.isEmpty { return "it has the time zone \"\(time.zone)\", but DMS documents no time zones in filters" }
    if time.separator != "" && time.separator != " " {
      return "date and time are separated by \"\(time.separator)\" instead of a space"
    }
    if time.hasFraction { return "it has fractional seconds, which DMS does not document for filters" }
    if !time.separator.isEmpty && !time.hasSeconds { return "the seconds are missing" }
    return nil
  }

  /// Three groups of digits, or of digits around a month's name, between `-`, `/` or `.`: `2025-01-31…`, `31.01.2025`,
  /// `31-JAN-25`.
  private static func looksLikeDate(_ text: String) -> Bool {
    let groups = text.split(maxSplits: 2, omittingEmptySubsequences: false) { $0 == "-" || $0 == "/" || $0 == "." }
    guard groups.count == 3 else { return false }
    let isDigit = { (character: Character) in character.isASCII && character.isNumber }
    let last = groups[2].prefix(while: isDigit)
    let rest = groups[2].dropFirst(last.count).first
    guard (1...4).contains(groups[0].count), groups[0].allSatisfy(isDigit), (1...4).contains(last.count),
      (1...3).contains(groups[1].count), groups[1].allSatisfy(isDigit) || groups[1].allSatisfy(\.isLetter)
    else { return false }
    return rest == nil || rest == " " || rest == "T" || rest == "t"
  }
}
