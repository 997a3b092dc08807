import DMS
import Foundation
import Logging
import MergeEngine

/// Everything that is looked at before a task is made.
struct ReloadCheck: Sendable {
  let setting: ReloadSetting
  let stage: LoadStage
  let runs: LoadingRuns
  let steps: ReloadSteps
  let logger: Logger

  /// What a reload is made with.
  struct Result: Sendable {
    let area: StagingArea
    /// Those of each piece of the load; a window is loaded in one.
    let documents: [TaskDocuments]
    /// For single rows: what tells rows that were there before the load.
    var horizon: String?

    /// The source table of each staging table.
    var sources: [String: (schema: String, table: String)] {
      documents.reduce(into: [:]) { $0.merge($1.sources) { first, _ in first } }
    }
  }

  /// - Returns: the staging tables, the task's documents, and a word about them.
  /// - Throws: `MergeFailure.blocked` with what stands against it, ``ReloadFailure/underWay(_:)``.
  func run(_ request: ReloadRequest) async throws -> (Result, String) {
    var result = try await plan(request)
    let area = result.area
    try await refuseIfUnderWay()
    let note = ReloadNote(request: request, task: "", sources: result.sources)
    if !request.truncatesFirst { try await Self.requireEmpty(area, note) }
    try await stage.testConnections(request.route)
    let connections =
      request.route.runner.isServerless ? "connections tested by AWS at the start" : "both connections good"
    var truncated = ""
    if request.truncatesFirst {
      let emptied = try await onThreadOfItsOwn { try area.truncate() }
      let failed = emptied.compactMap(\.warning)
      guard failed.isEmpty else { throw MergeFailure.blocked(failed.map { MergeEngine.Finding(nil, $0) }) }
      let rows = emptied.reduce(0) { $0 + ($1.truncated ?? 0) }
      truncated = rows > 0 ? "; \(Numbers.counted(rows, "row")) truncated" : ""
    }
    if case .rows(let rows) = request.scope {
      let asked = AskedRows(
        target: setting.target,
        stagingTarget: setting.stagingTarget,
        options: setting.options,
        logger: logger
      )
      result.horizon = try await onThreadOfItsOwn {
        try AskedRows.check(path: rows.output)
        return try asked.horizon()
      }
    }
    return (
      result, "\(Numbers.counted(area.tables.count, "staging table")) empty, " + connections + truncated
    )
  }

  /// The tables and documents, checked without any call to AWS.
  func plan(_ request: ReloadRequest) async throws -> Result {
    var options = setting.options
    switch request.scope {
    case .window(let window):
      options.from = window.from.description
      options.to = window.to.description
    case .rows(let rows): options.tables = rows.keys.keys.sorted()
    }
    let settled = options
    let area = try await onThreadOfItsOwn {
      try StagingArea(target: setting.target, stagingTarget: setting.stagingTarget, options: settled, logger: logger)
    }
    let documents: [TaskDocuments]
    switch request.scope {
    case .window:
      try Self.requireTimes(area)
      documents = [try request.documents(area.tables.map(\.name))]
    case .rows(let rows):
      try Self.requireKeys(area, rows)
      sayWhatComesBesides(rows)
      documents = try rows.pieces.map { try steps.rowDocuments?($0) ?? request.documents([]) }
    }
    for piece in documents {
      let size = piece.mappings.utf8.count
      guard size <= KeyPieces.documentByteLimit else {
        throw DocumentError.mappingTooLarge(bytes: size, limit: KeyPieces.documentByteLimit)
      }
    }
    let validation = try validationDocuments(request, area)
    if !request.ignoresLint {
      try await lint(documents, area, isServerless: request.route.runner.isServerless)
      if let validation {
        try await lint([validation], area, isServerless: request.route.runner.isServerless, comparesProduction: true)
      }
    }
    return Result(area: area, documents: documents)
  }

  /// Those of the task that compares Oracle and production at the end, made now, before anything is loaded.
  private func validationDocuments(_ request: ReloadRequest, _ area: StagingArea) throws -> TaskDocuments? {
    guard request.validates, case .window(let window) = request.scope else { return nil }
    return try steps.validationDocuments?(area.tables.map(\.name), window)
  }

  /// Rows are known by the key that DMS's validation goes by, and merged by another one where the file says so.
  private static func requireKeys(_ area: StagingArea, _ rows: FailedRows) throws {
    let findings = area.tables.compactMap { table -> MergeEngine.Finding? in
      guard let known = rows.keys[table.name]?.first?.keys, Set(known) != Set(table.key) else { return nil }
      return MergeEngine.Finding(
        table.name,
        "DMS's validation identifies its rows by \(known.sorted().joined(separator: ", ")), and the merge matches them by "
          + "\(table.key.joined(separator: ", ")). Reload its window instead, or leave the table out: --table."
      )
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
  }

  /// Of keys of several columns DMS can only be asked for every combination of their values.
  private func sayWhatComesBesides(_ rows: FailedRows) {
    for (table, keys) in rows.keys.sorted(by: { $0.key < $1.key }) {
      let pieces = rows.pieces.compactMap { $0[table] }
      let count = pieces.reduce(0) { $0 + KeyPieces.combinationCount($1) }
      guard count > keys.count else { continue }
      logger.warning(
        """
        DMS filters by single columns, so every combination of the values in \(Numbers.counted(keys.count, "key")) is loaded: \
        \(Numbers.counted(count, "row")) at most. Any extra row is merged like all others: the newer version wins
        """,
        metadata: ["table": "\(table)"]
      )
    }
  }

  private static func requireTimes(_ area: StagingArea) throws {
    let untimed = area.tables.filter { !$0.versionIsTime }
    guard untimed.isEmpty else {
      throw MergeFailure.blocked(
        untimed.map {
          MergeEngine.Finding(
            $0.name,
            "its version column \($0.versionColumn) is \($0.versionType): it can't cut out a window of time."
          )
        }
      )
    }
  }

  /// DMS adds to what is there: left-over rows would violate the primary key, and the count could not be checked.
  static func requireEmpty(_ area: StagingArea, _ note: ReloadNote) async throws {
    let full = try await onThreadOfItsOwn { try Reload.counts(area, note) }.filter { $0.rows > 0 }
    guard !full.isEmpty else { return }
    throw MergeFailure.blocked(
      full.map { count in
        MergeEngine.Finding(
          count.table,
          "its staging table holds \(Numbers.counted(count.rows, "row")), \(count.unmerged) of them not merged. Resume the reload they are "
            + "from (reload --resume), merge them (merge-engine), remove merged ones (merge-engine cleanup), or throw all "
            + "away (--truncate)."
        )
      }
    )
  }

  /// Before a task is started that was made in an earlier attempt: staging holds what the pieces before it have brought.
  static func requireUntouched(_ area: StagingArea, _ note: ReloadNote) async throws {
    guard note.judgedPieceCount > 0 else { return try await requireEmpty(area, note) }
    let counts = try await onThreadOfItsOwn { try Reload.counts(area, note) }
    let changed = counts.filter { $0.rows != note.loadedRowCounts[$0.table] ?? 0 }
    guard changed.isEmpty else {
      throw MergeFailure.blocked(
        changed.map {
          MergeEngine.Finding(
            $0.table,
            "its staging table holds \(Numbers.counted($0.rows, "row")), and the pieces of the load that were judged have brought "
              + "\(note.loadedRowCounts[$0.table] ?? 0). Start the reload again, with --truncate."
          )
        }
      )
    }
  }

  /// - Parameter comparesProduction: the documents are about production's tables, which staging's are made after.
  private func lint(
    _ documents: [TaskDocuments],
    _ area: StagingArea,
    isServerless: Bool,
    comparesProduction: Bool = false
  ) async throws {
    let target = setting.stagingTarget ?? setting.target
    let description = try await onThreadOfItsOwn {
      try StagingDescription(
        target: target,
        schemas: setting.options.schemas,
        columns: setting.options.columns,
        logger: logger
      )
    }
    let validated = try await onThreadOfItsOwn {
      try ValidatedTables(
        target: setting.target,
        schemas: setting.options.schemas,
        columns: setting.options.columns,
        logger: logger
      )
    }
    var schema = KnownSchema(description, validated: validated, only: area.tables.map(\.name))
    if comparesProduction { schema.tables = schema.tables.map(underProductionsName) }
    let texts = documents.flatMap { [("mappings", $0.mappings), ("settings", $0.settings)] }
    var errors: [MergeEngine.Finding] = []
    for (name, text) in texts {
      for finding in DocumentLint.lint(text, schema: schema, isServerless: isServerless).findings {
        if finding.grade == .error { errors.append(MergeEngine.Finding(nil, "task \(name), \(finding)")) }
        // What validation can't do would be taken for rows that differ.
        if finding.code == .validationKey || finding.code == .validationCollation {
          logger.warning("\(finding.message); \(finding.advice) [\(finding.code.rawValue)]")
        }
      }
    }
    guard errors.isEmpty else { throw MergeFailure.blocked(errors) }
  }

  private func underProductionsName(_ staged: KnownSchema.Table) -> KnownSchema.Table {
    let schemas = setting.options.schemas
    var table = staged
    table.schema = schemas.pairs.first { $0.staging == staged.schema }?.production
    for (name, rules) in setting.options.columns.tables where rules.stagingTable == staged.name {
      let place = schemas.place(of: name)
      if place == nil || staged.schema == nil || place?.pair.staging == staged.schema {
        table.name = place?.name ?? name
      }
    }
    return table
  }

  /// Two loads into the same tables would spoil each other.
  private func refuseIfUnderWay() async throws {
    let open = try await onThreadOfItsOwn { try runs.runs(annotatedWith: ReloadNote.key) }
      .filter { $0.status == .loading || $0.status == .running }
    for run in open {
      guard let note = ReloadNote(run.annotations) else { continue }
      let task = try await stage.find(note)
      if run.status == .running || task?.status.isAtAnEnd == false {
        throw ReloadFailure.underWay(
          "run \(run.id) is under way with the \(note.route.runner.kind.noun) \(note.task) (\(task.map { "\($0.status)" } ?? "merging")). Resume "
            + "it: merge-engine reload --resume. Or stop it first: "
            + note.route.runner.kind.stopCommand(arn: task?.arn ?? note.taskARN ?? "ARN")
        )
      }
      try await onThreadOfItsOwn { try runs.close(run.id, .aborted, notes: "Abandoned: a new reload was started.") }
    }
  }
}

extension MergeEngine.Finding {
  fileprivate init(_ table: String?, _ message: String) {
    self.init(grade: .blocker, table: table, message: message)
  }
}
