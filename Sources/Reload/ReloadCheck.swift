import DMS
import Foundation
import Logging
import MergeEngine

/// Everything that is looked at before a task is made.
struct ReloadCheck: Sendable {
  let setting: ReloadSetting
  let stage: LoadStage
  let runs: LoadingRuns
  let logger: Logger

  /// - Returns: the staging tables, the task's documents, and a word about them.
  /// - Throws: `MergeFailure.blocked` with what stands against it, ``ReloadFailure/underWay(_:)``.
  func run(_ request: ReloadRequest) async throws -> ((StagingArea, TaskDocuments), String) {
    let (area, documents) = try await plan(request)
    try await refuseIfUnderWay()
    let span = Self.span(request)
    if !request.truncatesFirst { try await Self.requireEmpty(area, span) }
    try await stage.testConnections(request.route)
    var truncated = ""
    if request.truncatesFirst {
      let emptied = try await onThreadOfItsOwn { try area.truncate() }
      let failed = emptied.compactMap(\.warning)
      guard failed.isEmpty else { throw MergeFailure.blocked(failed.map { MergeEngine.Finding(nil, $0) }) }
      let rows = emptied.reduce(0) { $0 + ($1.truncated ?? 0) }
      truncated = rows > 0 ? "; \(Numbers.counted(rows, "row")) truncated" : ""
    }
    return (
      (area, documents),
      "\(Numbers.counted(area.tables.count, "staging table")) empty, both connections good" + truncated
    )
  }

  /// The tables and documents, checked without any call to AWS.
  func plan(_ request: ReloadRequest) async throws -> (StagingArea, TaskDocuments) {
    var options = setting.options
    options.from = request.window.from.description
    options.to = request.window.to.description
    let settled = options
    let area = try await onThreadOfItsOwn {
      try StagingArea(target: setting.target, stagingTarget: setting.stagingTarget, options: settled, logger: logger)
    }
    let untimed = area.tables.filter { !$0.versionIsTime }
    guard untimed.isEmpty else {
      throw MergeFailure.blocked(
        untimed.map {
          MergeEngine.Finding(
            $0.name,
            "its version column \($0.versionColumn) is \($0.versionType): a window of time can't be cut out by it."
          )
        }
      )
    }
    let documents = try request.documents(area.tables.map(\.name))
    if !request.ignoresLint { try await lint(documents) }
    return (area, documents)
  }

  static func span(_ request: ReloadRequest) -> LoadedSpan {
    let bounds = request.window.loadBounds(padding: request.padding)
    return LoadedSpan(
      from: request.window.from.description,
      to: request.window.to.description,
      lowest: bounds.lowerBound.description,
      highest: bounds.upperBound.description
    )
  }

  /// DMS adds to what is there: left-over rows would violate the primary key, and the count could not be checked.
  static func requireEmpty(_ area: StagingArea, _ span: LoadedSpan) async throws {
    let full = try await onThreadOfItsOwn { try area.counts(loaded: span) }.filter { $0.rows > 0 }
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

  private func lint(_ documents: TaskDocuments) async throws {
    let target = setting.stagingTarget ?? setting.target
    let description = try await onThreadOfItsOwn {
      try StagingDescription(
        target: target,
        schemas: setting.options.schemas,
        columns: setting.options.columns,
        logger: logger
      )
    }
    let schema = KnownSchema(description)
    let errors = [("mappings", documents.mappings), ("settings", documents.settings)].flatMap { name, text in
      DocumentLint.lint(text, schema: schema).findings.filter { $0.grade == .error }.map {
        MergeEngine.Finding(nil, "task \(name), \($0)")
      }
    }
    guard errors.isEmpty else { throw MergeFailure.blocked(errors) }
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
          "run \(run.id) is under way with the task \(note.task) (\(task.map { "\($0.status)" } ?? "merging")). Resume "
            + "it: merge-engine reload --resume. Or stop it first: aws dms stop-replication-task --replication-task-arn "
            + "\(task?.arn ?? note.taskARN ?? "ARN")"
        )
      }
      try await onThreadOfItsOwn { try runs.close(run.id, .aborted, notes: "Given up: a new reload was started.") }
    }
  }
}

extension MergeEngine.Finding {
  fileprivate init(_ table: String?, _ message: String) {
    self.init(grade: .blocker, table: table, message: message)
  }
}
