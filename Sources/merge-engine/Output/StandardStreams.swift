import Foundation
import MergeEngine
import Synchronization

/// The three streams that a process begins with.
enum StandardStreams {
  /// Takes the places of streams that the caller has closed (`>&-`): no connection or file may get such a number and be
  /// written to as stdout. What goes there is missed as what goes to a full disk.
  static func takeClosedPlaces() {
    for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) == -1 {
      // Gets the lowest free number, which is this one; in the wrong direction, so that it serves as little as before.
      // Safe: a string literal.
      _ = unsafe open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}

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
  /// Something of the result is lost: the disk behind stdout is full, as a rule.
  struct Lost: Error, CustomStringConvertible {
    fileprivate let reason: String

    var description: String {
      "stdout can't be written: \(reason). What the command had to do is done; what it says of it is lost, or half of it"
    }
  }

  private static let lost = Mutex<Lost?>(nil)

  /// - Throws: ``Lost`` when something of what was written did not arrive.
  static func requireWritten() throws {
    if let lost = lost.withLock(\.self) { throw lost }
  }

  private static func send(_ text: String) {
    guard let error = LiveArea.shared.write(text, to: .standardOutput) else { return }
    lost.withLock { $0 = $0 ?? Lost(reason: SystemReason.of(error)) }
  }

  /// Writes text.
  static func write(_ text: TerminalText) { send(text.string) }

  /// Writes a text in a form of its own, as SQL or HTML: exactly as it is, but on a terminal.
  static func write(document: String) {
    send(terminal == nil ? document : Printable.document(document))
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
    send(Printable.json(text) + "\n")
  }
}
