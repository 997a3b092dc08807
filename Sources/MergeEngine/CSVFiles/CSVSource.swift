import ChildEnvironment
import Foundation

/// The bytes of a CSV file, unpacked where it is compressed.
final class CSVSource {
  /// Why a file can't be read.
  struct Failure: Error {
    let reason: String
  }

  private let handle: FileHandle
  private let unpacker: Process?
  private let complaints = Pipe()

  /// Read in pieces of this size. Arbitrary, large against the cost of a call.
  static let pieceByteCount = 1 << 20
  /// <https://datatracker.ietf.org/doc/html/rfc1952>, 2.3.1.
  private static let gzipSignature = Data([0x1F, 0x8B])

  /// Opens a file; one that gzip has packed, as DMS does with `CompressionType`, by its first bytes.
  ///
  /// - Throws: ``Failure``.
  init(_ url: URL) throws(Failure) {
    do {
      let file = try FileHandle(forReadingFrom: url)
      let isPacked = try file.read(upToCount: Self.gzipSignature.count) == Self.gzipSignature
      try file.seek(toOffset: 0)
      guard isPacked else {
        handle = file
        unpacker = nil
        return
      }
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = ["gzip", "--decompress", "--stdout"]
      process.environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "LC_ALL": "C"]
      let output = Pipe()
      process.standardInput = file
      process.standardOutput = output
      process.standardError = complaints
      try process.run()
      handle = output.fileHandleForReading
      unpacker = process
    } catch {
      throw Failure(reason: SystemReason.of(error))
    }
  }

  deinit {
    if let unpacker, unpacker.isRunning { unpacker.terminate() }
    try? handle.close()
  }

  /// The next piece; nil at the end.
  ///
  /// - Throws: ``Failure``, also when what was packed is damaged or cut off.
  func read() throws(Failure) -> Data? {
    do {
      if let piece = try handle.read(upToCount: Self.pieceByteCount), !piece.isEmpty { return piece }
    } catch {
      throw Failure(reason: SystemReason.of(error))
    }
    guard let unpacker else { return nil }
    guard unpacker.waitForEnd(within: nil) == .exited(0) else {
      let said = (try? complaints.fileHandleForReading.readToEnd()).map { String(decoding: $0, as: UTF8.self) } ?? ""
      let reason = said.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix("gzip: ") }.joined(separator: ", ")
      throw Failure(reason: reason.isEmpty ? "gzip can't unpack it" : reason)
    }
    return nil
  }
}
