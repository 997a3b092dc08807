import Foundation
import MergeEngine

/// How text reaches a stream: in colour, where a terminal shows it and nobody has asked to leave it out
/// (<https://no-color.org>), and in how many columns.
struct Style {
  private let isColoured: Bool
  /// The columns that a line may take; nil where it may be as long as it likes.
  let width: Int?

  /// - Parameter terminal: the size of the terminal that the stream is; nil for any other stream.
  init(terminal: TerminalSize?) {
    let environment = ProcessInfo.processInfo.environment
    isColoured = terminal != nil && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    // The last column stays empty: some terminals go to the next line when it is filled, or lose what stands there.
    width = terminal.map { $0.columns - 1 }
  }

  /// For a window of that width, without colour.
  init(width: Int) {
    isColoured = false
    self.width = width
  }

  /// For a file: no colour, lines of any length.
  static let plain = Style(terminal: nil)

  /// Select Graphic Rendition codes (ECMA-48).
  enum Colour: Int {
    case bold = 1
    case faint = 2
    case red = 31
    case green = 32
    case yellow = 33
  }

  /// The text in a colour, or as it is.
  func paint(_ text: TerminalText, _ colour: Colour) -> TerminalText {
    isColoured ? .painted(text, colour.rawValue) : text
  }

  /// The text in lines that are no longer than there is room, broken at spaces.
  func wrapped(_ text: TerminalText) -> TerminalText {
    guard let width else { return text }
    return text.lines.flatMap { $0.wrapped(to: width) }.joined("\n")
  }

  /// Findings, a line each, with their grade in front.
  func lines(_ findings: [Finding]) -> TerminalText {
    findings.map { finding in
      let mark = finding.grade == .blocker ? paint("blocker", .red) : paint("warning", .yellow)
      let table: TerminalText = finding.table.map { "\($0): " } ?? ""
      return wrapped("\(mark) \(table)\(lines: finding.message)\n")
    }.joined()
  }
}
