import Foundation

/// A file that is replaced as a whole: a reader finds the old one or the new one, never half of one.
///
/// Written beside its place under another name, brought to disk, and renamed.
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
  ///   - path: where; a link is followed.
  ///   - permissions: those of the file, whatever the umask says, as 0o644.
  package init(path: String, permissions: UInt32) {
    self.path = path
    self.permissions = mode_t(permissions)
  }

  /// Finds out before the work is done whether its result can be written; leaves nothing behind.
  package func check() throws(Failure) {
    let temporary = try beginning()
    try? temporary.handle.close()
    try? FileManager.default.removeItem(atPath: temporary.path)
  }

  /// Puts `text` in the place of what was there.
  package func write(_ text: String) throws(Failure) {
    let draft = try begin()
    try draft.append(Data(text.utf8))
    try draft.finish()
  }

  /// Begins a file that is written piece by piece.
  package func begin() throws(Failure) -> Draft {
    let temporary = try beginning()
    return Draft(path: path, target: target, temporary: temporary.path, handle: temporary.handle)
  }

  /// A file on its way, which nobody sees before it is whole; gone when something goes wrong.
  package struct Draft: Sendable {
    fileprivate let path: String
    fileprivate let target: String
    fileprivate let temporary: String
    fileprivate let handle: FileHandle

    /// Adds a piece.
    package func append(_ piece: Data) throws(Failure) {
      do {
        try handle.write(contentsOf: piece)
      } catch {
        abandon()
        throw Failure(path: path, reason: AtomicFile.reason(error))
      }
    }

    /// Puts the file in the place of what was there.
    package func finish() throws(Failure) {
      do {
        try handle.synchronize()
        try handle.close()
        guard unsafe rename(temporary, target) == 0 else {
          throw Failure(path: path, reason: AtomicFile.systemReason(errno))
        }
      } catch {
        abandon()
        throw error as? Failure ?? Failure(path: path, reason: AtomicFile.reason(error))
      }
    }

    /// Leaves what was there as it was.
    package func abandon() {
      try? handle.close()
      try? FileManager.default.removeItem(atPath: temporary)
    }
  }

  private var target: String { URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false) }

  /// A new file beside the target. Its name ends in nothing that anybody collects (`*.prom`).
  private func beginning() throws(Failure) -> (path: String, handle: FileHandle) {
    guard !path.isEmpty else { throw Failure(path: "a file without a name", reason: "name one.") }
    let target = target
    var isDirectory: ObjCBool = false
    let isThere = unsafe FileManager.default.fileExists(atPath: target, isDirectory: &isDirectory)
    guard !isDirectory.boolValue else {
      throw Failure(path: path, reason: "it is a folder. Name a file in it.")
    }
    if isThere, (try? FileManager.default.attributesOfItem(atPath: target)[.type]) as? FileAttributeType != .typeRegular
    {
      throw Failure(path: path, reason: "it is there and no regular file, so it can't be replaced. Name another.")
    }
    let folder = URL(filePath: target).deletingLastPathComponent()
    let name = ".merge-engine-\(UUID().uuidString.prefix(8)).tmp"
    let temporary = folder.appending(path: name).path(percentEncoded: false)
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions)
    guard descriptor >= 0 else {
      throw Failure(
        path: path,
        reason: "\(Self.systemReason(errno)), in the folder \(folder.path(percentEncoded: false)). "
          + "Name a folder that is there and that you may write to."
      )
    }
    fchmod(descriptor, permissions)
    return (temporary, FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
  }

  /// What the system says of a number, as `Permission denied`.
  fileprivate static func systemReason(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }

  /// Foundation says that a file could not be saved; why stands below that.
  fileprivate static func reason(_ error: any Error) -> String {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    guard let underlying, underlying.domain == NSPOSIXErrorDomain else { return error.localizedDescription }
    return systemReason(Int32(underlying.code))
  }
}
