import BinaryCopy
import Foundation
import Libpq

/// Reads the CSV files of one table into the table's file of a snapshot.
///
/// As long as no row says that one was deleted, the files are read once. The first one that does ends the writing: all
/// deletions are gathered, and the files are read again, now with the rows left out that are deleted later on.
struct CSVTableImport {
  private let table: CSVTable
  private let options: SnapshotImport.Options
  private let folder: SnapshotDirectory
  private let rejects: CSVRejects
  private let stop: StopSignal
  private let connection: Connection
  private let conversion: CSVConversion
  private let deleted: DeletedKeys
  private let nullTexts: [[UInt8]]
  private let columns: [SnapshotManifest.Column]
  private let plainSelect: PreparedStatement
  private let guardedSelect: PreparedStatement
  private var report: SnapshotImportReport.Table
  /// Found in the first pass, which alone looks at deletions.
  private var badDeletions: [SnapshotImportReport.Rejected] = []
  private var batch = CSVBatch()
  private var copy = CopyWriter()
  /// nil once the first pass has met a deletion.
  private var writer: SnapshotFileWriter?
  /// Of the row that was read last.
  private var rowNumber = 0

  /// - Parameter number: tells the temporary tables of one connection apart.
  /// - Precondition: nothing stands against merging the table, so that it has a key and a version.
  init(
    _ table: CSVTable,
    number: Int,
    _ options: SnapshotImport.Options,
    _ folder: SnapshotDirectory,
    _ rejects: CSVRejects,
    _ stop: StopSignal,
    _ connection: Connection
  ) throws {
    guard let key = MergeTarget(table.production, table.options.columns).key,
      let version = table.production.column(table.options.columns.version(of: table.plainName))
    else { preconditionFailure("a table without a key or version was refused") }
    self.table = table
    self.options = options
    self.folder = folder
    self.rejects = rejects
    self.stop = stop
    self.connection = connection
    conversion = CSVConversion(
      columns: table.columns,
      key: key.columns.map(\.name),
      timeZone: options.merge.timeZone
    )
    deleted = try DeletedKeys(number: number, table.production, version: version, key: key, conversion, connection)
    nullTexts = options.format.nullTexts.map { Array($0.utf8) }
    let definitions = try TypeDefinitions(of: table.columns.map(\.baseType.oid), connection)
    var columns = table.columns.map { column in
      SnapshotManifest.Column(
        importing: column.renamed(table.stagedName(of: column.name)),
        productionSchema: table.options.schemas.production,
        definitions: definitions
      )
    }
    if table.hasOperations { columns.append(.operation) }
    self.columns = columns
    let types = table.columns.map { _ in TypeOID.textArray }
    let operation = "reading values of \(table.production.name)"
    plainSelect = try connection.prepare("import_\(number)", conversion.select(nil), parameterTypes: types, operation)
    guardedSelect = try connection.prepare(
      "import_guarded_\(number)",
      conversion.select(deleted),
      parameterTypes: types,
      operation
    )
    report = SnapshotImportReport.Table(table: table.name, files: table.files.count)
  }

  /// - Parameter deletes: gets the deleted rows that production still has.
  mutating func run(_ deletes: DeletesFile) throws -> (SnapshotImportReport.Table, SnapshotManifest.Table) {
    let rejectedBefore = rejects.rows.count
    var manifest = try pass(.first)
    if report.deletes > 0 {
      rejects.rewind(to: rejectedBefore)
      for row in badDeletions { try rejects.add(row) }
      report.rows = 0
      try deleted.analyze()
      manifest = try pass(.second)
      let found = try deleted.look(pair: table.pair.name, write: deletes.write)
      report.deletesInProduction = found.present
      report.deletesGone = found.absent
      report.deletesNewerInProduction = found.newer
      report.deletesWithoutVersion = found.withoutVersion
    }
    report.rejected = rejects.rows.count - rejectedBefore
    guard let manifest else { preconditionFailure("the last pass writes the file") }
    return (report, manifest)
  }

  private enum Pass {
    /// Writes until a deletion is met, and gathers deletions.
    case first
    /// Writes what is not deleted later on.
    case second
  }

  /// - Returns: nil when the first pass has met a deletion.
  private mutating func pass(_ pass: Pass) throws -> SnapshotManifest.Table? {
    let name = Self.fileName(of: table, options)
    let url = folder.fileURL(name)
    writer = try SnapshotFileWriter(url, columns)
    copy.removeAll()
    copy.writeHeader()
    try put()
    batch.removeAll()
    rowNumber = 0
    for index in table.files.indices {
      do {
        try read(index, pass)
      } catch {
        guard error is CSVError || error is CSVSource.Failure else { throw error }
        // Where the rows behind begin is not known: nothing can be left out.
        throw MergeFailure.blocked([.blocker(table.name, CSVTable.message(error, table.files[index].url))])
      }
    }
    try flush(pass)
    guard pass == .second || report.deletes == 0 else {
      writer = nil
      try? FileManager.default.removeItem(at: url)
      return nil
    }
    copy.removeAll()
    copy.writeTrailer()
    try put()
    return try finish(name)
  }

  /// The table's file in the snapshot.
  static func fileName(of table: CSVTable, _ options: SnapshotImport.Options) -> String {
    SnapshotDirectory.fileName(
      of: table.stagedName,
      in: options.merge.schemas.hasSeveralPairs ? table.pair.staging : nil
    )
  }

  /// Ends the table's file.
  private mutating func finish(_ name: String) throws -> SnapshotManifest.Table? {
    guard var last = writer else { return nil }
    writer = nil
    let digest = try last.finish()
    report.snapshotRows = last.rowCount
    return SnapshotManifest.Table(
      name: table.stagedName,
      pair: table.pair,
      file: name,
      byteCount: last.byteCount,
      rowCount: last.rowCount,
      sha256: digest,
      columns: columns,
      key: (MergeTarget(table.production, table.options.columns).key?.columns ?? [])
        .map { table.stagedName(of: $0.name).name },
      // Changes come with several rows of one key.
      primaryKey: [],
      versionColumn: table.stagedName(of: table.options.columns.version(of: table.plainName)).name
    )
  }

  /// Appends what stands in ``copy`` to the table's file.
  private mutating func put() throws {
    let bytes = copy.bytes
    try writer?.append(bytes.rawSpan)
  }

  /// Reads a file to its end.
  private mutating func read(_ file: Int, _ pass: Pass) throws {
    var row = CSVRow()
    var reader = CSVReader(try CSVSource(table.files[file].url), options.format)
    if options.format.hasHeader { _ = try reader.next(into: &row) }
    while try reader.next(into: &row) {
      rowNumber += 1
      report.rows += 1
      try take(row, number: rowNumber, of: file)
      guard batch.isFull else { continue }
      if stop.signal != nil { throw CancellationError() }
      try flush(pass)
    }
  }

  /// Adds a row to the batch, or leaves it out.
  private mutating func take(_ row: CSVRow, number: Int, of file: Int) throws {
    let layout = table.files[file].layout
    guard row.fields.count == layout.fieldCount else {
      let reason = "it has \(row.fields.count) fields instead of \(layout.fieldCount)"
      return try rejects.add(rejected(file, line: row.line, column: nil, reason))
    }
    var operation: CSVOperation?
    if let field = layout.operation {
      operation = CSVOperation(rawValue: row.text(field))
      guard operation != nil else {
        let reason = "it is not I, U or D"
        return try rejects.add(rejected(file, line: row.line, column: CSVLayout.operationName, reason))
      }
    }
    batch.append(row, fields: layout.fields, nullTexts: nullTexts, number: number, file: file, operation: operation)
  }

  private func rejected(_ file: Int, line: Int, column: String?, _ reason: String) -> SnapshotImportReport.Rejected {
    .init(table: table.name, file: table.files[file].url.path, line: line, column: column, reason: reason)
  }

  private mutating func flush(_ pass: Pass) throws {
    try carry(pass)
    batch.removeAll()
  }

  private mutating func carry(_ pass: Pass) throws {
    let places = Array(batch.rows.indices)
    let deletions = places.filter { batch.rows[$0].operation == .delete }
    let others = places.filter { batch.rows[$0].operation != .delete }
    switch pass {
    case .first:
      try attempt(.gather, deletions)
      // The file is written anew then.
      if report.deletes > 0 { writer = nil }
      guard writer != nil else { return }
      try attempt(.write, others)
    case .second:
      try attempt(.writeGuarded, others)
    }
  }

  /// What is done with rows of a batch.
  private enum Step {
    /// Keep them as deletions.
    case gather
    /// Write them.
    case write
    /// Write those that are not deleted later on.
    case writeGuarded
  }

  private mutating func perform(_ step: Step, _ rows: [Int]) throws {
    switch step {
    case .gather:
      try deleted.add(rows, of: batch)
      report.deletes += rows.count
    case .write:
      let answer = try connection.execute(plainSelect, texts(rows))
      try write(answer, rows, isGuarded: false)
    case .writeGuarded:
      let answer = try connection.execute(guardedSelect, texts(rows))
      try write(answer, rows, isGuarded: true)
    }
  }

  private func texts(_ rows: [Int]) -> [Parameter] {
    table.columns.indices.map { batch.texts(rows, column: $0) }
  }

  /// Does something with rows; where the server refuses one, in halves, down to the bad rows.
  private mutating func attempt(_ step: Step, _ rows: [Int]) throws {
    guard !rows.isEmpty else { return }
    do {
      try perform(step, rows)
    } catch let error as PostgresError where error.refusesRow {
      guard rows.count > 1 else {
        let rejected = try rejected(rows[0], error)
        if step == .gather { badDeletions.append(rejected) }
        return try rejects.add(rejected)
      }
      try attempt(step, Array(rows[..<(rows.count / 2)]))
      try attempt(step, Array(rows[(rows.count / 2)...]))
    }
  }

  /// Finds out which column of a bad row is bad.
  private func rejected(_ row: Int, _ error: PostgresError) throws -> SnapshotImportReport.Rejected {
    let (file, line) = (batch.rows[row].file, batch.rows[row].line)
    for index in table.columns.indices {
      if let reason = try refusal(of: row, column: index) {
        return rejected(file, line: line, column: table.columns[index].name.name, reason)
      }
    }
    return rejected(file, line: line, column: nil, KeyCast.explained(error).message)
  }

  /// Why the server can't read a value; nil if it can.
  private func refusal(of row: Int, column: Int) throws(PostgresError) -> String? {
    do {
      _ = try connection.query(
        conversion.select(only: column),
        [batch.texts([row], column: column)],
        "reading a value of \(table.production.name)"
      )
      return nil
    } catch {
      guard error.refusesRow else { throw error }
      return KeyCast.explained(error).message
    }
  }

  /// Writes rows as the server has read them, but those that are deleted later on.
  private mutating func write(
    _ answer: ResultSet,
    _ rows: [Int],
    isGuarded: Bool
  ) throws {
    let count = table.columns.count
    var revived: [Int] = []
    var fields: [UInt8] = []
    copy.removeAll()
    for place in 0..<answer.count {
      let row = batch.rows[rows[(answer.integer(place, 0) ?? 1) - 1]]
      if isGuarded, let deletion = answer.integer(place, count + 1) {
        guard deletion < row.number else {
          report.laterDeleted += 1
          continue
        }
        revived.append(deletion)
      }
      fields.removeAll(keepingCapacity: true)
      answer.appendFields(of: place, columns: 1..<(1 + count), to: &fields)
      if table.hasOperations { Self.append(row.operation, to: &fields) }
      copy.writeRow(fieldCount: columns.count, fields: 0..<fields.count, of: fields.rawSpan)
    }
    try put()
    try deleted.forget(revived)
  }

  /// Appends the operation as a field of text.
  private static func append(_ operation: CSVOperation?, to fields: inout [UInt8]) {
    guard let text = operation?.rawValue.utf8 else {
      fields.append(bigEndian: Int32(-1))
      return
    }
    fields.append(bigEndian: Int32(text.count))
    fields += text
  }
}

extension SnapshotManifest.Column {
  /// A column as an import writes it: without a length that values may exceed, as long as no merge has looked at them.
  fileprivate init(importing column: CatalogColumn, productionSchema: String, definitions: TypeDefinitions) {
    let own = SnapshotManifest.Column(column, productionSchema: productionSchema, definitions: definitions)
    self.init(
      name: own.name,
      type: own.type,
      baseType: own.baseType,
      modifier: column.baseType.castTruncates ? -1 : own.modifier,
      typeNumber: own.typeNumber,
      typeDefinition: own.typeDefinition,
      isNotNull: false
    )
  }

  /// How DMS says that the row came about.
  fileprivate static let operation = SnapshotManifest.Column(
    name: TablePlanner.operationColumn.name,
    type: "text",
    baseType: "text",
    modifier: -1,
    typeNumber: nil,
    isNotNull: false
  )
}
