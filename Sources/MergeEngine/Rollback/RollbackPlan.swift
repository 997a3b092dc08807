import Libpq
import Logging

/// What a rollback would take back, in which order: settled before anything is written.
struct RollbackPlan {
  /// Children before the parents that they refer to.
  let tables: [RollbackTable]
  /// For each table all image tables of the same production table, of whichever run.
  let siblings: [[QualifiedName]]
  private let runID: Int
  /// Tables that the run has written too, and that were not asked for.
  let unasked: [QualifiedName]

  /// With or without the schema.
  private static func isName(_ name: String, of table: QualifiedName) -> Bool {
    name == table.name.name || name == "\(table)"
  }

  /// - Parameters:
  ///   - names: only these tables; nil for all of the run.
  ///   - schemas: only the tables of these pairs, though the run has merged others too.
  /// - Throws: ``MergeFailure/usage(_:)`` for a run that there is none of, ``MergeFailure/blocked(_:)`` with
  ///   everything that stands against the rollback.
  init(_ record: RollbackRecord, only names: [String]?, schemas: Schemas, on connection: Connection) throws {
    runID = record.runID
    try record.requireEnded(in: schemas, connection)
    let list = BeforeImageCatalog(schemas: schemas)
    let all = try list.entries(ofRun: record.runID, connection)
    let present = try Self.present(all, record)
    let entries =
      present
      .filter { schemas.allProduction.contains($0.production.schema.name) }
      .filter { entry in names?.contains { Self.isName($0, of: entry.production) } ?? true }
    if let missing = names?.first(where: { name in !entries.contains { Self.isName(name, of: $0.production) } }) {
      let dropped = all.filter { Self.isName(missing, of: $0.production) }.compactMap(\.droppedAt).max()
      let reason =
        dropped.map {
          "its before-images of run \(record.runID) were dropped at \($0) UTC, when all of it was rolled back, or by cleanup."
        } ?? "run \(record.runID) has no before-images of it."
      throw MergeFailure.blocked([.blocker(.beforeImages, missing, reason)])
    }
    guard !entries.isEmpty else {
      let names = Set(present.map { "\($0.production)" }).sorted().joined(separator: ", ")
      let places = schemas.allProduction.joined(separator: ", ")
      throw RollbackRecord.blocked(
        "run \(record.runID) has no before-images of tables of \(places) any more, but of \(names)."
      )
    }
    let asked = Set(entries.map(\.productionOid))
    unasked = present.filter { !asked.contains($0.productionOid) }.map(\.production)
    let catalog = try Catalog(
      connection,
      schemas: [schemas.admin] + Set(entries.map(\.production.schema.name)).sorted()
    )
    var blockers: [Finding] = []
    var tables: [RollbackTable] = []
    for entry in entries {
      do {
        var table = try RollbackTable(entry, catalog, on: connection)
        table.isOfSeveralPairs = schemas.hasSeveralPairs
        tables.append(table)
      } catch MergeFailure.blocked(let findings) {
        blockers += findings
      }
    }
    guard blockers.isEmpty else { throw MergeFailure.blocked(blockers) }
    let order = TableOrder(tables.map(\.entry.productionOid), in: catalog)
    self.tables = order.indices.reversed().map { tables[$0] }
    siblings = try self.tables.map { table in
      try list.entries(of: table.entry.productionOid, connection).map(\.image).filter { catalog.table($0) != nil }
    }
  }

  /// What no rollback takes back: images are of rows that the run has written itself, whatever triggers wrote besides.
  var remainder: String? {
    let triggering = tables.filter(\.mayHaveWrittenElsewhere).map { "\($0.production)" }
    let forgetful = Set(tables.flatMap(\.forgetfulChildren).map { "\($0)" }).sorted()
    var sentences: [String] = []
    if !triggering.isEmpty {
      sentences.append(
        "What triggers of \(triggering.joined(separator: ", ")) wrote into other rows or other tables is not rolled back."
      )
    }
    if !forgetful.isEmpty {
      sentences.append(
        "What foreign keys ON UPDATE SET NULL or SET DEFAULT made of \(forgetful.joined(separator: ", ")) is not rolled back."
      )
    }
    return sentences.isEmpty ? nil : sentences.joined(separator: " ")
  }

  /// That the run has written other tables, too; nil where all were asked for.
  var rest: String? {
    guard !unasked.isEmpty else { return nil }
    return
      "run \(runID) has also written into \(unasked.map { "\($0)" }.joined(separator: ", ")), which this rollback was not asked for: that stays."
  }

  /// What the server itself will be slow at when rows are deleted that the run has inserted.
  func slowChecks(_ connection: Connection) throws(PostgresError) -> [String] {
    var warnings: [String] = []
    for table in tables {
      let checks = table.references.compactMap { $0.slowCheck(deletingFrom: table.production) }
      guard !checks.isEmpty else { continue }
      let deletesRows = try connection.query(
        "SELECT EXISTS (SELECT FROM \(table.image) AS s WHERE s.\(BeforeImageTable.previousXID) IS NULL)",
        "looking for inserted rows of \(table.production)"
      )
      if deletesRows.bool(0, 0) == true { warnings += checks }
    }
    return warnings
  }

  private static func present(_ entries: [BeforeImageCatalog.Entry], _ record: RollbackRecord) throws
    -> [BeforeImageCatalog.Entry]
  {
    guard !entries.isEmpty else {
      throw RollbackRecord.blocked(
        "run \(record.runID) has no before-images, so it can't be rolled back: it was merged without --before-images."
      )
    }
    let present = entries.filter { $0.droppedAt == nil }
    guard !present.isEmpty else {
      throw RollbackRecord.blocked(
        "the before-images of run \(record.runID) were dropped at \(entries.compactMap(\.droppedAt).max() ?? "?") UTC, by "
          + "cleanup. Without them it can't be rolled back."
      )
    }
    guard !present.contains(where: \.isRestored) else {
      throw RollbackRecord.blocked(
        "the before-images of run \(record.runID) came into this database by a dump that was restored. Which rows have changed since "
          + "the run can't be told any more, so it can't be rolled back."
      )
    }
    return present
  }
}
