import Foundation
import Synchronization

/// The process's stderr: progress, logs and messages. Results go to stdout.
enum StandardError {
  /// Writes text above whatever is live.
  static func write(_ text: TerminalText) {
    LiveArea.shared.write(text.string, to: .standardError)
  }

  /// Writes lines above whatever is live, broken at spaces where the window is narrower.
  static func write(lines text: TerminalText) { write(Style(terminal: terminal).wrapped(text)) }

  /// Writes a line of JSON.
  static func write(jsonLine line: String) {
    LiveArea.shared.write(Printable.json(line) + "\n", to: .standardError)
  }

  /// Writes what went wrong: for people behind the program's name, for a log's reader as a log line.
  static func write(failure lines: [String], _ format: LogFormat) {
    switch format {
    case .text:
      let texts = lines.enumerated().map { index, line -> TerminalText in
        index == 0 ? "merge-engine: \(lines: line)\n" : "  \(lines: line)\n"
      }
      write(lines: texts.joined())
    case .json:
      LogOutput.logger(format).error("\(lines.joined(separator: " "))")
    }
  }

  /// The window, if a person is looking.
  static var terminal: TerminalSize? { TerminalSize(of: .standardError) }
}

/// The process's stdout: the result, as a table or as one JSON object.
enum StandardOutput {
  /// Writes text.
  static func write(_ text: TerminalText) {
    LiveArea.shared.write(text.string, to: .standardOutput)
  }

  /// Writes a text in a form of its own, as SQL or HTML: exactly as it is, but on a terminal.
  static func write(document: String) {
    LiveArea.shared.write(terminal == nil ? document : Printable.document(document), to: .standardOutput)
  }

  /// The window, if a person is looking.
  static var terminal: TerminalSize? { TerminalSize(of: .standardOutput) }

  /// Whether a JSON object was written already: there is one at most, but for streams of them.
  static var hasJSON: Bool { wroteJSON.load(ordering: .relaxed) }
  private static let wroteJSON = Atomic(false)

  /// Colour and width for whom it reaches.
  static var style: Style { Style(terminal: terminal) }

  /// Writes a value as one JSON object on one line, for streams of them.
  static func write(jsonLine value: some Encodable) throws { try write(value, []) }

  /// Writes a value as one JSON object with keys in a fixed order.
  static func write(json value: some Encodable) throws { try write(value, .prettyPrinted) }

  private static func write(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    wroteJSON.store(true, ordering: .relaxed)
    LiveArea.shared.write(Printable.json(text) + "\n", to: .standardOutput)
  }
}
