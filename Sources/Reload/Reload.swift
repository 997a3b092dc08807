import DMS
import Foundation
import Libpq
import Logging
import MergeEngine

/// A load by DMS and the merge after it, as one.
///
/// ```
/// check ─▶ create ─▶ load ─▶ judge ─▶ merge ─▶ verify ─▶ cleanup ─▶ delete
///           └ run LOADING, task tagged ┘   └ run RUNNING … SUCCESS ┘
/// ```
///
/// The run is opened before the task is made and bears the task's name, the task bears it in its tag: whatever ends this
/// process, ``resume(run:)`` finds both. Nothing is merged from a load that is not good.
public struct Reload: Sendable {
  let setting: ReloadSetting
  let stage: LoadStage
  private let steps: ReloadSteps
  let runs: LoadingRuns
  private let logger: Logger
  let onEvent: @Sendable (ReloadEvent) -> Void

  /// - Parameters:
  ///   - setting: database, merge options and limits.
  ///   - service: DMS.
  ///   - steps: who merges and verifies.
  ///   - logger: gets warnings.
  ///   - onEvent: is told how far it is.
  public init(
    setting: ReloadSetting,
    service: DMSService,
    steps: ReloadSteps,
    logger: Logger,
    onEvent: @escaping @Sendable (ReloadEvent) -> Void = { _ in }
  ) {
    self.setting = setting
    stage = LoadStage(service: service, setting: setting, onEvent: onEvent)
    self.steps = steps
    runs = LoadingRuns(target: setting.target, schemas: setting.options.schemas, logger: logger)
    self.logger = logger
    self.onEvent = onEvent
  }

  var check: ReloadCheck { ReloadCheck(setting: setting, stage: stage, runs: runs, logger: logger) }

  /// A reload from the check on.
  ///
  /// - Throws: ``ReloadFailure``, `MergeFailure`, `PostgresError`, `DocumentError`.
  public func run(_ request: ReloadRequest) async throws -> ReloadReport {
    var log = PhaseLog(onEvent)
    let (area, documents) = try await log.measure(.check) {
      try await translating(task: nil) { try await check.run(request) }
    }
    var note = ReloadNote(request: request, task: ReloadNote.newName(at: Date()), documents: documents)
    let opened = note
    let id = try await onThreadOfItsOwn { try runs.open(opened.annotations) }
    let arn = try await closingRun(id, note) {
      try await log.measure(.create) {
        let task = try await stage.service.createTask(LoadStage.newTask(opened, documents))
        return (task.arn, "task \(task.identifier)")
      }
    }
    note.taskARN = arn
    try await annotate(id, note, log: log)
    try await closingRun(id, note) { try await stage.start(arn: arn) }
    return try await loadAndMerge(try await recorded(id), note, area: area, phases: log)
  }

  /// Goes on with a reload that was interrupted, from wherever it stands.
  ///
  /// - Parameter id: the run; nil for the latest reload.
  public func resume(run id: Int?) async throws -> ReloadReport {
    let run = try await recorded(id)
    guard var note = ReloadNote(run.annotations), !note.isFinished else {
      throw ReloadFailure.nothingToResume("run \(run.id) is done: there is nothing to resume.")
    }
    let area = try await area(note.tables)
    if run.status == .success || run.status == .partial {
      return try await finish(
        run.id,
        note,
        area: area,
        merge: nil,
        isComplete: run.status == .success,
        phases: PhaseLog(onEvent)
      )
    }
    if note.isLoadGood { return try await merge(run.id, note, area: area, phases: PhaseLog(onEvent)) }
    let found = note
    guard let task = try await translating(task: note.task, { try await stage.find(found) }) else {
      throw try await lost(run, note)
    }
    note.taskARN = task.arn
    try await annotate(run.id, note, log: PhaseLog(onEvent))
    if task.status == .creating || task.status == .ready {
      try await ReloadCheck.requireEmpty(area, note.span)
      try await closingRun(run.id, note) { try await stage.start(arn: task.arn) }
    }
    return try await loadAndMerge(run, note, area: area, phases: PhaseLog(onEvent))
  }

  // MARK: - From the load on

  private func loadAndMerge(_ run: LoadingRuns.Run, _ note: ReloadNote, area: StagingArea, phases: PhaseLog)
    async throws -> ReloadReport
  {
    var log = phases
    let arn = note.taskARN ?? ""
    try await closingRun(run.id, note) {
      let task = try await log.measure(.load) {
        let task = try await stage.watch(note.task, arn: arn, tableCount: area.tables.count)
        return (task, "\(task.identifier) is \(task.status)\(task.stopReason.map { ": \($0)" } ?? "")")
      }
      try await log.measure(.judge) {
        let counts = try await onThreadOfItsOwn { try area.counts(loaded: note.span) }
        let rows = try await stage.judge(task, note, counts: counts, since: run.startedSecondsSince1970)
        return (
          (),
          "\(Numbers.counted(area.tables.count, "table")), \(Numbers.counted(rows, "row")), as many as DMS loaded and all inside the window"
        )
      }
    }
    return try await merge(run.id, note, area: area, phases: log)
  }

  private func merge(_ id: Int, _ note: ReloadNote, area: StagingArea, phases: PhaseLog) async throws
    -> ReloadReport
  {
    var log = phases
    let options = mergeOptions(id, note, log: log)
    let report = try await log.measure(.merge) {
      let report = try await onThreadOfItsOwn { try steps.merge(options) }
      return (
        report, "run \(report.runID) \(report.status.rawValue): \(Numbers.counted(report.totals.read, "row")) read"
      )
    }
    try await annotate(id, note, log: log)
    guard report.status == .success || report.status == .partial else {
      return self.report(id, note, log: log, merge: report, differs: nil)
    }
    return try await finish(id, note, area: area, merge: report, isComplete: report.status == .success, phases: log)
  }

  /// Everything after a merge that came to its end.
  private func finish(
    _ id: Int,
    _ note: ReloadNote,
    area: StagingArea,
    merge: RunReport?,
    isComplete: Bool,
    phases: PhaseLog
  ) async throws -> ReloadReport {
    var log = phases
    var note = note
    var differs: Bool?
    if let verify = steps.verify {
      let options = mergeOptions(id, note, log: log)
      differs = try await log.measure(.verify) {
        let result = try await onThreadOfItsOwn { try verify(options) }
        return (result.differs, result.summary)
      }
    }
    if setting.cleansUp && isComplete && differs != true {
      let span = note.span
      try await log.measure(.cleanup) {
        let emptied = try await onThreadOfItsOwn { try area.truncateMerged(after: span) }
        for warning in emptied.compactMap(\.warning) { onEvent(.warning(warning)) }
        let count = emptied.count { $0.truncated != nil }
        return ((), "\(count) of \(emptied.count) staging tables truncated")
      }
    }
    if !setting.keepsTask { note.isTaskDeleted = await delete(note, &log) }
    note.isFinished = true
    try await annotate(id, note, log: log)
    return report(id, note, log: log, merge: merge, differs: differs)
  }

  /// What can't be deleted is said and left: everything else is done.
  private func delete(_ note: ReloadNote, _ log: inout PhaseLog) async -> Bool {
    guard let arn = note.taskARN else { return false }
    do {
      try await log.measure(.delete) {
        do {
          _ = try await stage.service.deleteTask(arn: arn)
        } catch let error as AWSError where error.kind == .notFound {
          return ((), "task \(note.task) was gone already")
        }
        return ((), "task \(note.task) is being deleted")
      }
      return true
    } catch {
      onEvent(.warning("the task \(note.task) was not deleted: \(error). merge-engine cleanup tries again."))
      return false
    }
  }

  private func report(_ id: Int, _ note: ReloadNote, log: PhaseLog, merge: RunReport?, differs: Bool?)
    -> ReloadReport
  {
    ReloadReport(
      runID: id,
      from: note.window.from.description,
      to: note.window.to.description,
      task: note.task,
      taskARN: note.taskARN ?? "",
      phases: log.results,
      merge: merge,
      differs: differs
    )
  }

  private func mergeOptions(_ id: Int, _ note: ReloadNote, log: PhaseLog) -> MergeOptions {
    var options = setting.options
    options.tables = note.tables
    options.from = note.window.from.description
    options.to = note.window.to.description
    options.cleanup = false
    options.annotations = note.annotations.merging(log.annotations) { $1 }
    options.continuedRunID = id
    return options
  }

  private func area(_ tables: [String]) async throws -> StagingArea {
    var options = setting.options
    options.tables = tables
    let settled = options
    return try await onThreadOfItsOwn {
      try StagingArea(
        target: setting.target,
        stagingTarget: setting.stagingTarget,
        options: settled,
        logger: logger
      )
    }
  }
}
