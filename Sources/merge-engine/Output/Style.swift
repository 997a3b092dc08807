import Foundation
import MergeEngine

/// Colour, where a terminal shows it and nobody has asked to leave it out (<https://no-color.org>).
struct Style {
  private let isColoured: Bool

  /// - Parameter isTerminal: whether the stream that is written to is one.
  init(isTerminal: Bool) {
    let environment = ProcessInfo.processInfo.environment
    isColoured = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }

  /// Select Graphic Rendition codes (ECMA-48).
  enum Colour: Int {
    case bold = 1
    case faint = 2
    case red = 31
    case green = 32
    case yellow = 33
  }

  /// The text in a colour, or as it is.
  func paint(_ text: String, _ colour: Colour) -> String {
    isColoured ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// Findings, a line each, with their grade in front.
  func lines(_ findings: [Finding]) -> String {
    findings.map { finding in
      let mark = finding.grade == .blocker ? paint("blocker", .red) : paint("warning", .yellow)
      return "\(mark) \(finding.table.map { "\($0): " } ?? "")\(finding.message)\n"
    }.joined()
  }
}
