import Foundation

/// The folder that a snapshot lies in.
struct SnapshotDirectory: Sendable {
  let url: URL

  static let manifestName = "manifest.json"

  private var manifestURL: URL { url.appending(path: Self.manifestName) }
  /// There from the first moment of a save to its last: it keeps a second save out of the folder.
  private var unfinishedURL: URL { url.appending(path: Self.manifestName + ".unfinished") }

  func fileURL(_ name: String) -> URL { url.appending(path: name) }

  /// The file of a table. Only letters that every file system keeps apart stand for themselves, so that `Orders` and
  /// `orders` don't meet on one that takes them for the same.
  ///
  /// - Parameter schema: the table's, in a snapshot of several pairs of schemas.
  static func fileName(of table: String, in schema: String? = nil) -> String {
    let plain = Set("abcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
    func safe(_ name: String) -> String {
      name.utf8.map { plain.contains($0) ? String(UnicodeScalar($0)) : String(format: "%%%02X", $0) }.joined()
    }
    let name = (schema.map { safe($0) + "." } ?? "") + safe(table)
    guard name.utf8.count > nameByteLimit - ending.utf8.count else { return name + ending }
    let digest = SHA256()
    let bytes = Array(name.utf8)
    digest.update(bytes.rawSpan)
    let rest = "-" + digest.finish() + ending
    return name.prefix(nameByteLimit - rest.utf8.count) + rest
  }

  private static let ending = ".pgcopy"
  /// What Linux's and macOS's file systems take.
  private static let nameByteLimit = 255

  /// Whether a name out of a manifest stays within the folder.
  static func isFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && name != manifestName && !name.contains("/") && !name.contains("\0")
  }

  // MARK: Writing

  /// Makes the folder, and takes it for this save alone.
  ///
  /// - Returns: whether it was made, and not there before.
  /// - Throws: ``MergeFailure/blocked(_:)`` when something is in it already, or it can't be made.
  func prepare() throws(MergeFailure) -> Bool {
    do {
      let isMissing = !FileManager.default.fileExists(atPath: url.path)
      if isMissing { try Self.makePrivateFolder(url) }
      try requireNoLink()
      let contents = try FileManager.default.contentsOfDirectory(atPath: url.path)
      if contents.isEmpty {
        try OutputFolder.createPrivateFile(unfinishedURL).close()
        return isMissing
      }
      let isSnapshot = contents.contains(Self.manifestName)
      throw MergeFailure.blocked([
        .blocker(
          .file,
          nil,
          "\(url.path) is not empty: it holds \(isSnapshot ? "a snapshot" : "\(contents.count) files, but no snapshot"). "
            + "Name a folder that is empty or does not exist."
        )
      ])
    } catch let failure as MergeFailure {
      throw failure
    } catch {
      throw .blocked([.blocker(.file, nil, "the folder \(url.path) can't be created or read: \(Self.reason(error)).")])
    }
  }

  /// Writes the manifest, last of all, so that it is there whole or not at all; and makes sure that the disk has it.
  func write(_ manifest: SnapshotManifest) throws(SnapshotError) {
    do {
      try writeLast(manifest)
    } catch {
      throw SnapshotError("writing \(manifestURL.path)", "\(Self.reason(error)). What was written is removed")
    }
  }

  private func writeLast(_ manifest: SnapshotManifest) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile(path: manifestURL.path).write(String(decoding: try encoder.encode(manifest), as: UTF8.self) + "\n")
    try Self.synchronize(url)
    try FileManager.default.removeItem(at: unfinishedURL)
  }

  /// Rows of production are in it: for this user only, as the files are.
  private static func makePrivateFolder(_ url: URL) throws {
    try FileManager.default.createDirectory(
      at: url,
      withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700]
    )
  }

  /// Somebody else may have put a link there to have the files elsewhere.
  private func requireNoLink() throws(MergeFailure) {
    let type = (try? FileManager.default.attributesOfItem(atPath: url.path))?[.type] as? FileAttributeType
    guard type == .typeSymbolicLink else { return }
    throw .blocked([
      .blocker(.file, nil, "\(url.path) is a symbolic link. Name the folder that it points to, or remove the link.")
    ])
  }

  /// Removes what was written of a snapshot that could not be finished; what can't be removed stays without a manifest.
  ///
  /// - Parameters:
  ///   - files: names of files that may have been written.
  ///   - wasMade: the folder was made for the snapshot, and goes with it.
  func discard(_ files: [String], wasMade: Bool) {
    for file in files { try? FileManager.default.removeItem(at: fileURL(file)) }
    try? FileManager.default.removeItem(at: manifestURL)
    try? FileManager.default.removeItem(at: unfinishedURL)
    let isEmpty = (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.isEmpty == true
    if wasMade && isEmpty { try? FileManager.default.removeItem(at: url) }
  }

  private static func synchronize(_ url: URL) throws {
    let handle = try FileHandle(forReadingFrom: url)
    try handle.synchronize()
    try handle.close()
  }

  // MARK: Reading

  /// Reads the manifest.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is none, or none that this engine understands.
  func readManifest() throws(MergeFailure) -> SnapshotManifest {
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw Self.blocked("there is no folder \(url.path). Name the folder that `snapshot save` was given.")
    }
    guard FileManager.default.fileExists(atPath: manifestURL.path) else {
      throw Self.blocked(
        "\(url.path) is not a snapshot, or an unfinished one: it has no \(Self.manifestName), which is written last. Take "
          + "the snapshot again, into another folder."
      )
    }
    do {
      let data = try Data(contentsOf: manifestURL)
      let version = try JSONDecoder().decode(FormatVersion.self, from: data).format_version
      guard version <= SnapshotManifest.currentFormatVersion else {
        throw Self.blocked(
          "\(manifestURL.path) has format version \(version), of a newer merge-engine; this one knows versions up to "
            + "\(SnapshotManifest.currentFormatVersion). Use the merge-engine that took the snapshot, or a newer one."
        )
      }
      let manifest = try JSONDecoder().decode(SnapshotManifest.self, from: data)
      try Self.check(manifest, at: manifestURL)
      return manifest
    } catch let failure as MergeFailure {
      throw failure
    } catch let error as DecodingError {
      throw Self.blocked(
        "\(manifestURL.path) is not a snapshot's manifest: \(Self.reason(error)). Fetch the folder again from where it was "
          + "saved."
      )
    } catch {
      throw Self.blocked("\(manifestURL.path) can't be read: \(Self.reason(error)).")
    }
  }

  private struct FormatVersion: Decodable {
    let format_version: Int
  }

  private static func check(_ manifest: SnapshotManifest, at url: URL) throws {
    guard !manifest.tables.isEmpty else {
      throw blocked("\(url.path) names no table. The manifest was changed after it was saved.")
    }
    var names: Set<[String]> = []
    var files: Set<String> = []
    for table in manifest.tables {
      guard isFileName(table.file) else {
        throw blocked(
          "\(url.path) names a file that can't be in the folder: \(table.file). The manifest was changed after it was saved."
        )
      }
      guard files.insert(table.file).inserted else {
        throw blocked(
          "\(url.path) names the file \(table.file) for two tables. The manifest was changed after it was saved."
        )
      }
      let columns = Set(table.columns.map(\.name))
      guard names.insert([manifest.stagingSchema(of: table), table.name]).inserted, !table.columns.isEmpty,
        table.rowCount >= 0, table.byteCount >= 0,
        columns.count == table.columns.count, columns.isSuperset(of: table.primaryKey),
        table.versionColumn.map(columns.contains) ?? true
      else {
        throw blocked(
          "\(url.path) contradicts itself about the table \(table.name). The manifest was changed after it was saved."
        )
      }
    }
  }

  private static func blocked(_ message: String) -> MergeFailure { .blocked([.blocker(.snapshot, nil, message)]) }

  /// What went wrong, in words: what Foundation knows of a failed call is spread over several places.
  static func reason(_ error: any Error) -> String {
    if let error = error as? DecodingError {
      switch error {
      case .keyNotFound(let key, _): return "the key \(key.stringValue) is missing"
      case .typeMismatch(_, let context), .valueNotFound(_, let context):
        return "the value of \(context.codingPath.map(\.stringValue).joined(separator: ".")) is of the wrong kind"
      case .dataCorrupted(let context):
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return path.isEmpty ? "it is not JSON" : "the value of \(path) can't be read"
      @unknown default: return "\(error)"
      }
    }
    return (error as? AtomicFile.Failure)?.reason ?? SystemReason.of(error)
  }
}
