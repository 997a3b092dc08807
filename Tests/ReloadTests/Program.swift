import Foundation

/// A program that a test starts, signals and waits for; its output goes to files.
final class Program {
  struct Outcome {
    let status: Int
    let output: String
    let errors: String

    /// Everything it said, for a failed expectation.
    var transcript: String { "exit \(status)\n\(output)\n\(errors)" }
  }

  private let process = Process()
  private let folder: URL
  private var exits: AsyncStream<Void>.Iterator

  var processID: Int32 { process.processIdentifier }

  init(_ executable: URL, _ arguments: [String], environment: [String: String], in directory: URL? = nil) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "reload-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    process.executableURL = executable
    process.arguments = arguments
    process.environment = environment
    process.currentDirectoryURL = directory ?? folder
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try Self.file(folder.appending(path: "output"))
    process.standardError = try Self.file(folder.appending(path: "errors"))
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    process.terminationHandler = { _ in
      continuation.yield()
      continuation.finish()
    }
    exits = stream.makeAsyncIterator()
    try process.run()
  }

  deinit {
    if process.isRunning { process.terminate() }
    try? FileManager.default.removeItem(at: folder)
  }

  /// What it has said so far.
  var output: String { read("output") }
  var errors: String { read("errors") }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  func wait() async -> Outcome {
    while process.isRunning, await exits.next() != nil {}
    process.waitUntilExit()
    return Outcome(status: Int(process.terminationStatus), output: output, errors: errors)
  }

  private func read(_ name: String) -> String {
    (try? String(contentsOf: folder.appending(path: name), encoding: .utf8)) ?? ""
  }

  private static func file(_ url: URL) throws -> FileHandle {
    try Data().write(to: url)
    return try FileHandle(forWritingTo: url)
  }
}
