import Foundation

/// Metrics read strictly by the text exposition format, stricter than Prometheus itself: every family has its HELP and TYPE
/// once and before its samples, stands in one piece, and no series comes twice.
///
/// Format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
struct Exposition {
  struct Sample {
    let name: String
    let labels: [String: String]
    let value: Double
  }

  /// A line that breaks the format, and how.
  struct Malformed: Error {
    let line: Substring
    let reason: String
  }

  private(set) var samples: [Sample] = []
  private var help: Set<Substring> = []
  private var types: [Substring] = []
  private var series: Set<String> = []

  init(_ text: String) throws {
    guard text.unicodeScalars.last == "\n" else {
      throw Malformed(line: text.suffix(80), reason: "no newline at the end")
    }
    // By code points: a carriage return and a newline are one Character.
    let lines = String(text.unicodeScalars.dropLast()).unicodeScalars.split(
      separator: "\n",
      omittingEmptySubsequences: false
    )
    for line in lines { try read(Substring(line)) }
  }

  /// The value of one series, all of whose labels are given.
  func value(_ name: String, _ labels: [String: String]) -> Double? {
    samples.first { $0.name == name && $0.labels == labels }?.value
  }

  private mutating func read(_ line: Substring) throws {
    func check(_ condition: Bool, _ reason: String) throws {
      guard condition else { throw Malformed(line: line, reason: reason) }
    }
    try check(!line.isEmpty, "an empty line")
    let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
    switch words.first {
    case "#":
      try check(words.count == 4, "neither HELP nor TYPE")
      if words[1] == "HELP" {
        try check(help.insert(words[2]).inserted, "HELP twice")
        try check(words[3].hasSuffix("."), "help is a sentence")
      } else {
        try check(words[1] == "TYPE" && words[3] == "gauge", "no type")
        try check(help.contains(words[2]) && !types.contains(words[2]), "TYPE before HELP, or twice")
        types.append(words[2])
      }
    default: try readSample(line)
    }
  }

  private mutating func readSample(_ line: Substring) throws {
    var rest = line[...]
    func malformed(_ reason: String) -> Malformed { Malformed(line: line, reason: reason) }
    let name = Self.take(&rest) { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_") }
    guard !name.isEmpty, types.last == Substring(name) else { throw malformed("not in its family") }
    var labels: [String: String] = [:]
    if Self.skip("{", &rest) {
      repeat {
        let label = Self.take(&rest) { $0.isASCII && ($0.properties.isAlphabetic || $0 == "_") }
        guard !label.isEmpty, labels[label] == nil else { throw malformed("a label without a name, or twice") }
        guard Self.skip("=", &rest), Self.skip("\"", &rest) else { throw malformed("no value of \(label)") }
        labels[label] = try Self.quoted(&rest, malformed)
      } while Self.skip(",", &rest)
      guard Self.skip("}", &rest) else { throw malformed("labels without an end") }
    }
    guard Self.skip(" ", &rest), let value = Double(rest) else { throw malformed("no value") }
    guard series.insert("\(name)\(labels.sorted { $0.key < $1.key })").inserted else {
      throw malformed("a series twice")
    }
    samples.append(Sample(name: name, labels: labels, value: value))
  }

  private static func take(_ rest: inout Substring, while condition: (Unicode.Scalar) -> Bool) -> String {
    let taken = rest.unicodeScalars.prefix(while: condition)
    rest = Substring(rest.unicodeScalars.dropFirst(taken.count))
    return String(taken)
  }

  private static func skip(_ scalar: Unicode.Scalar, _ rest: inout Substring) -> Bool {
    guard rest.unicodeScalars.first == scalar else { return false }
    rest = Substring(rest.unicodeScalars.dropFirst())
    return true
  }

  /// Up to the closing quote; only the three escapes that there are.
  private static func quoted(_ rest: inout Substring, _ malformed: (String) -> Malformed) throws -> String {
    var value = String.UnicodeScalarView()
    while let scalar = rest.unicodeScalars.first {
      rest = Substring(rest.unicodeScalars.dropFirst())
      switch scalar {
      case "\"": return String(value)
      case "\\":
        guard let escaped = rest.unicodeScalars.first,
          let meant = ["\\": "\\", "\"": "\"", "n": "\n"][escaped] as Unicode.Scalar?
        else { throw malformed("an unknown escape") }
        rest = Substring(rest.unicodeScalars.dropFirst())
        value.append(meant)
      default: value.append(scalar)
      }
    }
    throw malformed("a value without an end")
  }
}
