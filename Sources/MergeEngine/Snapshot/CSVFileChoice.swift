import Foundation
import Libpq
import Spelling

/// Which file belongs to which table.
///
/// DMS writes `schema/TABLE/LOAD00000001.csv` for a full load and `schema/TABLE/20250131-235959123.csv` for changes, perhaps with
/// folders for dates below the table's.
struct CSVFileChoice {
  /// A table that files may be of.
  struct Candidate {
    /// What is asked of the table's pair of schemas.
    let options: MergeOptions
    let production: CatalogTable

    /// Production's and staging's.
    var names: [Identifier] {
      let name = production.name.name
      return [name] + (options.columns.stagingTables[name].map { [$0] } ?? [])
    }
    /// As `--table` takes it.
    var nameWithSchema: String { "\(options.schemas.production).\(production.name.name.name)" }
  }

  /// The tables, each with its files in the order in which they are read: a full load's, then the changes'.
  let tables: [(table: Candidate, files: [URL])]

  /// - Parameter pairs: what is asked of each pair of schemas.
  /// - Throws: ``MergeFailure/blocked(_:)`` for tables and files that don't belong together.
  init(_ sources: [String], _ pairs: [MergeOptions], _ catalog: Catalog) throws(MergeFailure) {
    let files = try Self.files(sources)
    var wanted: [Candidate] = []
    for pair in pairs { wanted += try Self.wanted(pair, catalog) }
    let areNamed = pairs[0].tables != nil
    if areNamed, wanted.count == 1 {
      tables = [(wanted[0], files)]
      return
    }
    var findings: [Finding] = []
    var found: [QualifiedName: [URL]] = [:]
    for file in files {
      switch Self.table(of: file, among: wanted, pairs) {
      case .success(let table): found[table.production.name, default: []].append(file)
      case .failure(let mismatch): findings.append(.blocker(nil, "\(file.path) \(mismatch.reason)"))
      }
    }
    for table in wanted where areNamed && found[table.production.name] == nil {
      let name = pairs.count > 1 ? table.nameWithSchema : table.production.name.name.name
      let list = sources.joined(separator: ", ")
      findings.append(.blocker(name, "there is no folder of this table with CSV files in \(list)."))
    }
    guard findings.isEmpty else { throw .blocked(Array(findings.prefix(20))) }
    tables = wanted.compactMap { table in found[table.production.name].map { (table, $0) } }
  }

  /// The tables of a pair that are asked for.
  private static func wanted(_ options: MergeOptions, _ catalog: Catalog) throws(MergeFailure) -> [Candidate] {
    let all = catalog.tables(in: options.schemas.production)
    var findings: [Finding] = []
    for name in options.tables ?? [] where !all.contains(where: { $0.name.name.name == name }) {
      let question = Spelling.question(for: name, in: all.map(\.name.name.name))
      findings.append(.blocker(name, "there is no table \(options.schemas.production).\(name).\(question)"))
    }
    guard findings.isEmpty else { throw .blocked(findings) }
    return all.filter { options.tables?.contains($0.name.name.name) ?? true }.map { table in
      Candidate(options: options, production: table)
    }
  }

  private struct Mismatch: Error {
    let reason: String
  }

  /// By the nearest folder that is not one of dates, since schemas and whatever lies above them may have a table's name; of several
  /// pairs of schemas by the folder above it.
  private static func table(
    of file: URL,
    among tables: [Candidate],
    _ pairs: [MergeOptions]
  ) -> Result<Candidate, Mismatch> {
    let folders: [String] = file.deletingLastPathComponent().pathComponents
    let isOf = { (folder: String, table: Candidate) in table.names.contains { CSVLayout.isSame(folder, $0) } }
    let isOfTable = { (folder: String) in tables.contains { isOf(folder, $0) } }
    guard let place = folders.lastIndex(where: { isOfTable($0) || !isOfDates($0) }), isOfTable(folders[place]) else {
      let schemas = pairs.map(\.schemas.production).joined(separator: ", ")
      return .failure(
        Mismatch(
          reason:
            "lies in no folder named after a table of \(schemas). Import it by itself, and name its table: --table NAME."
        )
      )
    }
    let named = tables.filter { isOf(folders[place], $0) }
    guard pairs.count > 1 else { return .success(named[0]) }
    let schema = folders[..<place].last.flatMap { folder in pairs.first { isOfPair(folder, $0.schemas) } }
    let found = named.filter { schema == nil || $0.options.schemas.production == schema?.schemas.production }
    guard found.count != 1 else { return .success(found[0]) }
    if let schema {
      let name = "\(schema.schemas.production).\(folders[place])"
      return .failure(Mismatch(reason: "lies in the folder of \(name), but no such table is imported."))
    }
    let names = named.map(\.nameWithSchema).joined(separator: " or ")
    return .failure(
      Mismatch(
        reason:
          "may belong to \(names): the folder above its table's is named after no schema. Name the table: --table SCHEMA.NAME."
      )
    )
  }

  /// As DMS makes them by `DatePartitionSequence`: `2025/01/31`, `2025-01-31`, `012025`.
  private static func isOfDates(_ folder: String) -> Bool {
    folder.allSatisfy { $0.isASCII && ($0.isNumber || $0 == "-" || $0 == "_") }
  }

  private static func isOfPair(_ folder: String, _ schemas: Schemas) -> Bool {
    CSVLayout.isSame(folder, Identifier(schemas.production)) || CSVLayout.isSame(folder, Identifier(schemas.staging))
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
      let found = try Self.files(below: url)
      guard !found.isEmpty else {
        throw .blocked([.blocker(nil, "there is no file in the folder \(source) whose name ends in .csv or .csv.gz.")])
      }
      files += found
    }
    return files.sorted { order($0) < order($1) }
  }

  /// Whatever leads to a folder leads to its files; one that holds itself by a link is looked through once.
  ///
  /// - Parameter outer: the folders that it lies in, without links.
  private static func files(below folder: URL, in outer: [String] = []) throws(MergeFailure) -> [URL] {
    let place = folder.resolvingSymlinksInPath().path
    guard !outer.contains(place) else { return [] }
    let names = try readable(folder) { try FileManager.default.contentsOfDirectory(atPath: folder.path) }
    var found: [URL] = []
    for name in names {
      let url = folder.appending(path: name)
      var isFolder: ObjCBool = false
      if unsafe FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue {
        found += try files(below: url, in: outer + [place])
      } else if endings.contains(where: { name.lowercased().hasSuffix($0) }) {
        found.append(url)
      } else {
        // What can't be looked at may be a folder.
        try readable(url) { _ = try FileManager.default.attributesOfItem(atPath: url.path) }
      }
    }
    return found
  }

  private static func readable<Value>(_ url: URL, _ read: () throws -> Value) throws(MergeFailure) -> Value {
    do {
      return try read()
    } catch {
      throw .blocked([.blocker(nil, "\(url.path) can't be read: \(SystemReason.of(error)).")])
    }
  }

  /// Changes come after the full load, by the times in their names, in whatever folder they lie.
  private static func order(_ file: URL) -> (Int, String, String) {
    let name = file.lastPathComponent
    return (name.uppercased().hasPrefix("LOAD") ? 0 : 1, name, file.path)
  }
}
