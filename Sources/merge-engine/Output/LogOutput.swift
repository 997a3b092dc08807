import ArgumentParser
import Foundation
import Logging

/// The form of log lines on stderr.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

/// A log handler that writes one line a message to stderr.
struct LogOutput: LogHandler {
  let format: LogFormat
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level

  /// The program's logger.
  static func logger(_ format: LogFormat) -> Logger {
    Logger(label: "merge-engine") { _ in LogOutput(format: format, logLevel: .info) }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
    let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    switch format {
    case .text:
      let suffix = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" as TerminalText }.joined()
      StandardError.write(lines: "\(time) \("\(event.level)"): \(event.message)\(suffix)\n")
    case .json:
      var object = fields.mapValues { "\($0)" }
      object["time"] = time
      object["level"] = "\(event.level)"
      object["message"] = "\(event.message)"
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      guard let line = try? encoder.encode(object) else { return }
      StandardError.write(jsonLine: String(decoding: line, as: UTF8.self))
    }
  }
}
