import Foundation
import Libpq
import Spelling

/// Which file belongs to which table.
///
/// DMS writes `schema/TABLE/LOAD00000001.csv` for a full load and `schema/TABLE/20250131-235959123.csv` for changes, perhaps with
/// folders for dates below the table's.
struct CSVFileChoice {
  /// The tables, each with its files in the order in which they are read: a full load's, then the changes'.
  let tables: [(production: CatalogTable, files: [URL])]

  /// - Throws: ``MergeFailure/blocked(_:)`` for tables and files that don't belong together.
  init(_ options: SnapshotImport.Options, _ production: [CatalogTable]) throws(MergeFailure) {
    let files = try Self.files(options.sources)
    var findings: [Finding] = []
    for name in options.merge.tables ?? [] where !production.contains(where: { $0.name.name.name == name }) {
      let question = Spelling.question(for: name, in: production.map(\.name.name.name))
      findings.append(.blocker(name, "there is no table \(options.merge.schemas.production).\(name).\(question)"))
    }
    guard findings.isEmpty else { throw .blocked(findings) }
    var wanted: [CatalogTable] = production
    if let names = options.merge.tables {
      wanted = production.filter { names.contains($0.name.name.name) }
      if wanted.count == 1 {
        tables = [(wanted[0], files)]
        return
      }
    }
    var found: [Identifier: [URL]] = [:]
    for file in files {
      if let table = Self.table(of: file, among: wanted) {
        found[table.name.name, default: []].append(file)
      } else {
        findings.append(
          .blocker(
            nil,
            "\(file.path) lies in no folder that has the name of a table of \(options.merge.schemas.production). Name its "
              + "table alone: --table NAME."
          )
        )
      }
    }
    for name in options.merge.tables ?? [] where found[Identifier(name)] == nil {
      findings.append(
        .blocker(name, "there is no folder of this name with CSV files in \(options.sources.joined(separator: ", ")).")
      )
    }
    guard findings.isEmpty else { throw .blocked(Array(findings.prefix(20))) }
    var tables: [(production: CatalogTable, files: [URL])] = []
    for table in wanted {
      if let files = found[table.name.name] { tables.append((table, files)) }
    }
    self.tables = tables
  }

  /// By the nearest folder: a schema may have a table's name.
  private static func table(of file: URL, among tables: [CatalogTable]) -> CatalogTable? {
    let folders: [String] = file.deletingLastPathComponent().pathComponents
    for folder in folders.reversed() {
      if let table = tables.first(where: { CSVLayout.isSame(folder, $0.name.name) }) { return table }
    }
    return nil
  }

  private static let endings = [".csv", ".csv.gz"]

  private static func files(_ sources: [String]) throws(MergeFailure) -> [URL] {
    var files: [URL] = []
    for source in sources {
      let url = URL(filePath: source)
      var isFolder: ObjCBool = false
      guard unsafe FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
        throw .blocked([.blocker(nil, "there is no file or folder \(source).")])
      }
      guard isFolder.boolValue else {
        files.append(url)
        continue
      }
      guard let entries = FileManager.default.enumerator(atPath: url.path) else {
        throw .blocked([.blocker(nil, "the folder \(source) can't be read.")])
      }
      var found: [String] = []
      while let entry = entries.nextObject() as? String {
        let name = entry.lowercased()
        if endings.contains(where: { name.hasSuffix($0) }) { found.append(entry) }
      }
      guard !found.isEmpty else {
        throw .blocked([.blocker(nil, "there is no file in the folder \(source) whose name ends in .csv or .csv.gz.")])
      }
      files += found.map { url.appending(path: $0) }
    }
    return files.sorted { order($0) < order($1) }
  }

  /// Changes come after the full load, by the times in their names, in whatever folder they lie.
  private static func order(_ file: URL) -> (Int, String, String) {
    let name = file.lastPathComponent
    return (name.uppercased().hasPrefix("LOAD") ? 0 : 1, name, file.path)
  }
}
