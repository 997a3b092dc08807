import Foundation
import Testing

/// Writes down how long tests took, without what they waited for their turn: for the gate, which shows the slowest.
enum TestDurations {
  /// Where to; nil for nowhere.
  private static let file: FileHandle? = {
    guard let path = ProcessInfo.processInfo.environment["MERGE_ENGINE_TEST_DURATIONS"] else { return nil }
    let file = FileHandle(forWritingAtPath: path)
    _ = try? file?.seekToEnd()
    return file
  }()

  /// Adds a line for the test that is running: suite, seconds, name.
  static func add(_ duration: Duration) {
    guard let file, let test = Test.current else { return }
    // `Module.Suite/test()/File.swift:12:4`
    let suite = test.id.description.split(separator: "/").first?.split(separator: ".").last ?? "?"
    let name = test.displayName ?? test.name
    let seconds = (Double(Int(duration / .milliseconds(1))) / 1000).formatted(
      .number.precision(.fractionLength(3)).grouping(.never)
    )
    try? file.write(contentsOf: Data("\(suite)\t\(seconds)\t\(name)\n".utf8))
  }
}
