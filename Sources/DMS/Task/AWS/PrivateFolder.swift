import Foundation

/// A temporary folder that only this user can look into, for what is handed to a command.
struct PrivateFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "merge-engine-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: url,
      withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o700]
    )
  }

  /// Writes a file with mode 600 and returns its path.
  func write(_ text: String, to name: String) throws -> String {
    let path = url.appending(path: name).path(percentEncoded: false)
    let isWritten = FileManager.default.createFile(
      atPath: path,
      contents: Data(text.utf8),
      attributes: [.posixPermissions: 0o600]
    )
    guard isWritten else { throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path]) }
    return path
  }

  func remove() { try? FileManager.default.removeItem(at: url) }
}
