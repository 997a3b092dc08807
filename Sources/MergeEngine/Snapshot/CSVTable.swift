import Foundation
import Libpq
import Spelling

/// A table, its CSV files, and what stands where in them.
struct CSVTable {
  /// What is asked of the table's pair of schemas.
  let options: MergeOptions
  let production: CatalogTable
  /// As messages and reports call it: of several pairs of schemas with its own.
  let name: String
  /// The columns that the files have, in production's order.
  let columns: [CatalogColumn]
  let files: [(url: URL, layout: CSVLayout)]

  var plainName: String { production.name.name.name }
  /// What the snapshot calls the table: as staging does, so that replay finds it by the same file.
  var stagedName: String { rules?.stagingTable ?? plainName }
  private var rules: ColumnRules.TableRules? { options.columns.tables[plainName] }

  /// What the snapshot calls a column of production.
  func stagedName(of column: Identifier) -> Identifier { rules?.columns?[column.name].map { Identifier($0) } ?? column }

  /// The table's pair of schemas.
  var pair: SchemaPair { options.schemas.pairs[0] }
  /// Whether any file says how rows came about.
  var hasOperations: Bool { files.contains { $0.layout.operation != nil } }

  /// Looks at the first rows of all files.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` when a file's columns are not the table's, or not those of the others.
  init(_ table: CSVFileChoice.Candidate, _ urls: [URL], _ options: SnapshotImport.Options) throws {
    let production = table.production
    let calledName = options.merge.schemas.hasSeveralPairs ? table.nameWithSchema : production.name.name.name
    name = calledName
    self.production = production
    self.options = table.options
    let own = production.columns.filter { !$0.isGenerated }
    let rules = table.options.columns.tables[production.name.name.name]
    let ignored = options.ignoredColumns + (rules?.ignore ?? [])
    /// Files call columns as staging does, or as production.
    func nameInProduction(_ name: String) -> String {
      rules?.columns?.first { CSVLayout.isSame(name, Identifier($0.value)) }?.key ?? name
    }
    /// A full load has no Op where changes have one, unless DMS was asked for it.
    func valueNames(_ names: [String]) -> ArraySlice<String> {
      names.first == CSVLayout.operationName && production.column(Identifier(CSVLayout.operationName)) == nil
        ? names.dropFirst() : names[...]
    }
    func isIgnored(_ name: String) -> Bool { ignored.contains { CSVLayout.isSame(name, Identifier($0)) } }
    var findings: [Finding] = []
    var names: [(url: URL, names: [String], fieldCount: Int, first: String?)] = []
    func block(_ message: String) { findings.append(.blocker(calledName, message)) }
    for url in urls {
      do {
        guard let head = try Self.head(url, options.format) else { continue }
        let given = options.columns ?? own.map(\.name.name)
        let all = (head.names ?? given).map(nameInProduction)
        names.append((url, all, head.names?.count ?? head.fieldCount, head.first))
      } catch {
        block(Self.message(error, url))
      }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    let all = names.first?.names ?? own.map(\.name.name)
    let columns: [CatalogColumn] = own.filter { column in
      valueNames(all).contains { (name: String) -> Bool in CSVLayout.isSame(name, column.name) && !isIgnored(name) }
    }
    let file = names.first?.url.path ?? "the files"
    for name in valueNames(all) where !isIgnored(name) {
      let called = own.filter { CSVLayout.isSame(name, $0.name) }.map(\.name.name)
      guard called.isEmpty else {
        // As it stands before the same in another case: that one would be left out.
        if !called.contains(name), let taken = called.first, all.contains(taken), !isIgnored(taken) {
          block(
            "the fields \(name) and \(taken) of \(file) are both called as the column \(taken) of \(production.name). Leave one of them out: "
              + "--ignore-column \(name)."
          )
        }
        continue
      }
      let question = Spelling.question(for: name.lowercased(), in: own.map(\.name.name))
      block(
        "the column \(name) of \(file) does not exist in \(production.name). Leave it out with --ignore-column \(name), or say in the "
          + "file which of production's columns it is (tables.\(production.name.name.name).columns).\(question)"
      )
    }
    var files: [(url: URL, layout: CSVLayout)] = []
    for file in names {
      guard Set(valueNames(file.names)) == Set(valueNames(all)) else {
        block("\(file.url.path) has other columns than \(names[0].url.path).")
        continue
      }
      do {
        let layout = try CSVLayout(
          names: file.names,
          fieldCount: file.fieldCount,
          first: file.first,
          columns: columns.map(\.name)
        )
        files.append((file.url, layout))
      } catch {
        block(
          "\(file.url.path) does not have the columns of \(production.name): \(error.message). Name them in the files' order: "
            + "--columns, or --header if the first row does."
        )
      }
    }
    if let column = columns.first(where: {
      (rules?.columns?[$0.name.name] ?? $0.name.name) == TablePlanner.operationColumn.name
    }),
      files.contains(where: { $0.layout.operation != nil })
    {
      block(
        "\(production.name) has a column \(column.name), and a snapshot of files with Op keeps in a column of the name "
          + "\(TablePlanner.operationColumn) how rows came about. Leave it out: --ignore-column \(column.name)."
      )
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    self.columns = columns
    self.files = files
  }

  private struct Head {
    /// By a first row that says them.
    let names: [String]?
    let fieldCount: Int
    /// The first field of the first row of values.
    let first: String?
  }

  /// - Returns: nil for an empty file.
  private static func head(_ url: URL, _ format: CSVFormat) throws -> Head? {
    var reader = CSVReader(try CSVSource(url), format)
    var row = CSVRow()
    guard try reader.next(into: &row) else { return nil }
    let texts = row.fields.indices.map { row.text($0) }
    guard format.hasHeader else { return Head(names: nil, fieldCount: texts.count, first: texts.first) }
    return Head(names: texts, fieldCount: texts.count, first: nil)
  }

  /// Why a file can't be read.
  static func message(_ error: any Error, _ url: URL) -> String {
    switch error {
    case let failure as CSVSource.Failure: "\(url.path) can't be read: \(failure.reason)."
    case let error as CSVError: "\(url.path), line \(error.line): \(error.message)."
    default: "\(url.path) can't be read: \(SystemReason.of(error))."
    }
  }

  /// What stands against merging such rows, as the planner of every merge sees it.
  func findings(casts: Casts) -> [Finding] {
    var planner = TablePlanner(
      options,
      casts: casts,
      stagingCasts: casts,
      inputSettings: InputSettings(),
      isSplit: false,
      readsSnapshot: true
    )
    _ = planner.plan(
      staging: CatalogTable(
        oid: 0,
        name: QualifiedName(schema: SnapshotCatalog.schema, name: stagedName),
        kind: .table,
        rootOid: 0,
        estimatedRowCount: nil,
        columns: columns.map { $0.renamed(stagedName(of: $0.name)) },
        uniqueIndexes: []
      ),
      production: production
    )
    let made = columns.filter { casts.isMade(from: TypeOID.text, to: $0.baseType.oid) }
    return planner.findings
      + made.map { column in
        .blocker(
          name,
          "the texts of \(column.name) would be read by a cast that somebody has made from text to \(column.baseType.plainName.text) (CREATE CAST), "
            + "and not as the type reads them. DROP CAST, or --ignore-column \(column.name)."
        )
      }
  }
}
