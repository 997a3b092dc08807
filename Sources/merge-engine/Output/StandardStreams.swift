import Foundation

/// The process's stderr: progress, logs and messages. Results go to stdout.
enum StandardError {
  /// Writes text as it is.
  static func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Writes what went wrong: for people behind the program's name, for a log's reader as a log line.
  static func write(failure lines: [String], _ format: LogFormat) {
    switch format {
    case .text:
      for (index, line) in lines.enumerated() { write((index == 0 ? "merge-engine: " : "  ") + line + "\n") }
    case .json:
      LogOutput.logger(format).error("\(lines.joined(separator: " "))")
    }
  }

  /// Whether a person is looking.
  static var isTerminal: Bool { isatty(FileHandle.standardError.fileDescriptor) == 1 }
}

/// The process's stdout: the result, as a table or as one JSON object.
enum StandardOutput {
  /// Writes text as it is.
  static func write(_ text: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  }

  /// Whether a person is looking.
  static var isTerminal: Bool { isatty(FileHandle.standardOutput.fileDescriptor) == 1 }

  /// Colour for whom it reaches.
  static var style: Style { Style(isTerminal: isTerminal) }

  /// Writes a value as one JSON object on one line, for streams of them.
  static func write(jsonLine value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    write(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
  }

  /// Writes a value as one JSON object with keys in a fixed order.
  static func write(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    write(String(decoding: try encoder.encode(value), as: UTF8.self) + "\n")
  }
}
