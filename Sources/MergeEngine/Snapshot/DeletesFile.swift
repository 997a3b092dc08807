import Foundation

/// The file of deleted rows that production still has, begun when there is one.
final class DeletesFile {
  private let url: URL
  private let header: DifferenceFile.Header
  private var writer: DifferenceWriter?

  init(_ url: URL, _ header: DifferenceFile.Header) {
    self.url = url
    self.header = header
  }

  func write(_ differences: [Difference]) throws {
    guard !differences.isEmpty else { return }
    if writer == nil { writer = try DifferenceWriter(AtomicFile(path: url.path, permissions: 0o600), header) }
    try writer?.write(differences)
  }

  /// - Returns: where it is; nil if there was nothing to write.
  func finish() throws -> String? {
    guard let writer else { return nil }
    try writer.finish()
    return url.path
  }
}
