import Foundation

/// A file that is replaced as a whole: a reader finds the old one or the new one, never half of one.
///
/// Written beside its place under another name, brought to disk, and renamed. A symbolic link in its place is refused: somebody
/// else may have put it there to have another file overwritten. One that appears after the check is itself replaced, and what it
/// points to stays as it was.
package struct AtomicFile: Sendable {
  /// Why a file can't be written.
  package struct Failure: Error, Sendable, CustomStringConvertible {
    /// The file.
    package let path: String
    /// What stands against it, and what to do.
    package let reason: String

    /// `report.html can't be written: …`.
    package var description: String { "\(path) can't be written: \(reason)" }
  }

  /// The file, as it was named.
  package let path: String
  private let permissions: mode_t

  /// - Parameters:
  ///   - path: where.
  ///   - permissions: those of the file, whatever the umask says. Readable by this user only unless somebody else has to.
  package init(path: String, permissions: UInt32 = 0o600) {
    self.path = path
    self.permissions = mode_t(permissions)
  }

  /// Finds out before the work is done whether its result can be written; leaves nothing behind.
  package func check() throws(Failure) {
    try begin().abandon()
  }

  /// Puts `text` in the place of what was there.
  package func write(_ text: String) throws(Failure) {
    let draft = try begin()
    try draft.append(Data(text.utf8))
    try draft.finish()
  }

  /// Begins a file that is written piece by piece.
  package func begin() throws(Failure) -> Draft {
    guard !path.isEmpty else { throw Failure(path: "a file without a name", reason: "name one.") }
    let url = URL(filePath: path)
    let parent = url.deletingLastPathComponent().path(percentEncoded: false)
    do throws(OutputFolder.Failure) {
      let folder = try OutputFolder(parent)
      try requireReplaceable(url.lastPathComponent, folder)
      // A name that ends in nothing that anybody collects, as *.prom.
      let name = ".merge-engine-\(UUID().uuidString.prefix(8)).tmp"
      let handle = try folder.create(name, permissions: permissions)
      return Draft(path: path, target: url.lastPathComponent, temporary: name, folder: folder, handle: handle)
    } catch {
      throw Failure(
        path: path,
        reason: error.isAboutFolder
          ? "\(error.reason), in the folder \(parent). Name an existing folder that you may write to."
          : error.reason
      )
    }
  }

  private func requireReplaceable(_ name: String, _ folder: OutputFolder) throws(OutputFolder.Failure) {
    switch folder.kind(of: name) {
    case nil, .file: return
    case .folder: throw .init(reason: "it is a folder. Name a file in it.")
    case .link: throw .init(reason: "it is a symbolic link. Name the file itself, or remove the link.")
    case .other: throw .init(reason: "it exists and is not a regular file, so it can't be replaced. Name another.")
    }
  }

  /// A file on its way, which nobody sees before it is whole; gone when something goes wrong.
  package struct Draft: Sendable {
    fileprivate let path: String
    fileprivate let target: String
    fileprivate let temporary: String
    fileprivate let folder: OutputFolder
    fileprivate let handle: FileHandle

    /// Adds a piece.
    package func append(_ piece: Data) throws(Failure) {
      do {
        try handle.write(contentsOf: piece)
      } catch {
        throw failure(error)
      }
    }

    /// Puts the file in the place of what was there.
    package func finish() throws(Failure) {
      do {
        try handle.synchronize()
        try handle.close()
        try folder.rename(temporary, to: target)
      } catch {
        throw failure(error)
      }
    }

    /// Leaves what was there as it was.
    package func abandon() {
      try? handle.close()
      folder.remove(temporary)
    }

    private func failure(_ error: any Error) -> Failure {
      abandon()
      return Failure(path: path, reason: (error as? OutputFolder.Failure)?.reason ?? SystemReason.of(error))
    }
  }
}
