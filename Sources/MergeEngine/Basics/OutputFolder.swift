import Foundation

/// A folder that files are written into. It is held open, so that it stays the same one whoever renames what leads to it.
package struct OutputFolder: Sendable {
  /// Why something can't be done in it.
  struct Failure: Error {
    /// What the system or we say.
    var reason: String
    /// Whether another folder would help.
    var isAboutFolder = false
  }

  /// What a name in it stands for.
  enum Kind {
    case file, folder, link, other
  }

  private let handle: FileHandle

  /// Opens a folder that is there.
  init(_ path: String) throws(Failure) {
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(reason: SystemReason.of(errno), isAboutFolder: true) }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// What `name` is, without going where a link leads; nil for nothing.
  func kind(of name: String) -> Kind? {
    var facts = stat()
    guard unsafe fstatat(handle.fileDescriptor, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return switch facts.st_mode & S_IFMT {
    case S_IFREG: .file
    case S_IFDIR: .folder
    case S_IFLNK: .link
    default: .other
    }
  }

  /// Makes a new file, with these permissions whatever the umask says.
  func create(_ name: String, permissions: mode_t) throws(Failure) -> FileHandle {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let descriptor = unsafe openat(handle.fileDescriptor, name, flags, permissions)
    guard descriptor >= 0 else { throw Failure(reason: SystemReason.of(errno), isAboutFolder: true) }
    fchmod(descriptor, permissions)
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// Renames a file within the folder; what had the new name is gone.
  func rename(_ name: String, to newName: String) throws(Failure) {
    guard unsafe renameat(handle.fileDescriptor, name, handle.fileDescriptor, newName) == 0 else {
      throw Failure(reason: SystemReason.of(errno))
    }
  }

  /// Removes a file, if it is there.
  func remove(_ name: String) {
    _ = unsafe unlinkat(handle.fileDescriptor, name, 0)
  }

  /// Makes a new file by its path, readable by this user only.
  static func createPrivateFile(_ url: URL) throws(Failure) -> FileHandle {
    try OutputFolder(url.deletingLastPathComponent().path(percentEncoded: false))
      .create(url.lastPathComponent, permissions: 0o600)
  }
}
