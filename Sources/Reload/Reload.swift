import DMS
import Foundation
import Libpq
import Logging
import MergeEngine

/// A load by DMS and the merge after it, as one.
///
/// ```
/// check ─▶ create ─▶ load ─▶ judge ─▶ merge ─▶ verify ─▶ failures ─▶ validate ─▶ cleanup ─▶ delete
///           └ run LOADING, task tagged ┘   └ run RUNNING … SUCCESS ┘
/// ```
///
/// The run is opened before the task is made and bears the task's name, the task bears it in its tag: whatever ends this
/// process, ``resume(run:)`` finds both. Nothing is merged from a load that is not good. Single rows are loaded in as many
/// pieces as mapping documents need, each with a task of its own.
package struct Reload: Sendable {
  let setting: ReloadSetting
  let stage: LoadStage
  let steps: ReloadSteps
  let runs: LoadingRuns
  let logger: Logger
  let onEvent: @Sendable (ReloadEvent) -> Void

  /// - Parameters:
  ///   - setting: database, merge options and limits.
  ///   - service: DMS.
  ///   - steps: who merges and verifies.
  ///   - logger: gets warnings.
  ///   - onEvent: is told how far it is.
  package init(
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

  var check: ReloadCheck { ReloadCheck(setting: setting, stage: stage, runs: runs, steps: steps, logger: logger) }

  /// A reload from the check on.
  ///
  /// - Throws: ``ReloadFailure``, `MergeFailure`, `PostgresError`, `DocumentError`.
  package func run(_ request: ReloadRequest) async throws -> ReloadReport {
    var log = PhaseLog(onEvent)
    let checked = try await log.measure(.check) {
      try await translating(task: nil) { try await check.run(request) }
    }
    var note = ReloadNote(request: request, task: ReloadNote.newName(at: Date()), sources: checked.sources)
    note.horizon = checked.horizon
    let opened = note
    let id = try await onThreadOfItsOwn { try runs.open(opened.annotations) }
    return try await load(try await recorded(id), note, area: checked.area, documents: checked.documents, phases: log)
  }

  /// Goes on with a reload that was interrupted, from wherever it stands.
  ///
  /// - Parameter id: the run; nil for the latest reload.
  package func resume(run id: Int?) async throws -> ReloadReport {
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
    let documents = try documents(of: note)
    let found = note
    guard let task = try await translating(task: note.task, { try await stage.find(found) }) else {
      // Between two pieces there is none.
      guard note.taskARN == nil, note.judgedPieceCount > 0 else { throw try await lost(run, note) }
      return try await load(run, note, area: area, documents: documents, phases: PhaseLog(onEvent))
    }
    note.taskARN = task.arn
    try await annotate(run.id, note, log: PhaseLog(onEvent))
    if task.status == .creating || task.status.isStartable {
      try await ReloadCheck.requireUntouched(area, note)
      try await closingRun(run.id, note) { try await stage.start(arn: task.arn) }
    }
    return try await load(run, note, area: area, documents: documents, phases: PhaseLog(onEvent), isStarted: true)
  }

  // MARK: - The load

  /// Loads what is not loaded yet, a piece after the other, and merges it all.
  ///
  /// - Parameters:
  ///   - documents: those of every piece; none that were judged already are used.
  ///   - isStarted: the task of the first of them is there, and was told to start.
  private func load(
    _ run: LoadingRuns.Run,
    _ note: ReloadNote,
    area: StagingArea,
    documents: [TaskDocuments],
    phases: PhaseLog,
    isStarted: Bool = false
  ) async throws -> ReloadReport {
    var (note, log, isStarted) = (note, phases, isStarted)
    let pieces = note.rows?.pieces.map { Set($0.keys) } ?? [Set(note.tables)]
    while note.judgedPieceCount < pieces.count {
      let number = note.judgedPieceCount
      let place = pieces.count > 1 ? "piece \(number + 1) of \(pieces.count), " : ""
      if !isStarted { note = try await start(run.id, note, documents[number], place, &log) }
      isStarted = false
      let counts = try await judged(run, note, area, tables: pieces[number], place, &log)
      note.loadedRowCounts = counts
      note.judgedPieceCount += 1
      let isLast = note.judgedPieceCount == pieces.count
      if !isLast {
        if let arn = note.taskARN {
          let isGone = setting.keepsTask ? false : await delete(arn, note.task, &log, showsPhase: false)
          if !isGone { note.leftTaskARNs.append(arn) }
        }
        note.beginNextPiece(task: ReloadNote.newName(at: Date()))
      }
      try await annotate(run.id, note, log: log)
    }
    return try await merge(run.id, note, area: area, phases: log)
  }

  /// Makes a task and starts it.
  private func start(
    _ id: Int,
    _ note: ReloadNote,
    _ documents: TaskDocuments,
    _ place: String,
    _ log: inout PhaseLog
  ) async throws -> ReloadNote {
    var note = note
    let opened = note
    let arn = try await closingRun(id, note) {
      try await log.measure(.create) {
        let task = try await stage.service.createTask(LoadStage.newTask(opened, documents))
        return (task.arn, "\(place)\(task.kind.noun) \(task.identifier)")
      }
    }
    note.taskARN = arn
    try await annotate(id, note, log: log)
    try await closingRun(id, note) { try await stage.start(arn: arn) }
    return note
  }

  /// - Returns: rows in staging, by table.
  private func judged(
    _ run: LoadingRuns.Run,
    _ note: ReloadNote,
    _ area: StagingArea,
    tables: Set<String>,
    _ place: String,
    _ log: inout PhaseLog
  ) async throws -> [String: Int] {
    let arn = note.taskARN ?? ""
    return try await closingRun(run.id, note) {
      let task = try await log.measure(.load) {
        let task = try await stage.watch(note.task, arn: arn, tableCount: tables.count)
        return (task, "\(place)\(task.identifier) is \(task.status)\(task.stopReason.map { ": \($0)" } ?? "")")
      }
      return try await log.measure(.judge) {
        let counts = try await onThreadOfItsOwn { try Self.counts(area, note) }
        try await stage.judge(
          task,
          note,
          counts: counts.filter { tables.contains($0.table) },
          since: run.startedSecondsSince1970
        )
        let rows = counts.reduce(0) { $0 + $1.rows }
        let asked = note.rows.map { " of the \(Numbers.counted($0.count, "row")) that DMS found to differ" }
        return (
          counts.reduce(into: [:]) { $0[$1.table] = $1.rows },
          "\(Numbers.counted(tables.count, "table")), \(Numbers.counted(rows, "row"))\(asked ?? ""), as many as DMS loaded and all "
            + (asked == nil ? "inside the window" : "asked for")
        )
      }
    }
  }

  static func counts(_ area: StagingArea, _ note: ReloadNote) throws -> [StagingArea.Count] {
    if let span = note.span { return try area.counts(loaded: span) }
    return try area.counts(ofKeys: note.rows?.keys ?? [:])
  }

  /// The documents of every piece of a reload of single rows; a window's task has its own by then.
  private func documents(of note: ReloadNote) throws -> [TaskDocuments] {
    guard let rows = note.rows, let make = steps.rowDocuments else { return [] }
    return try rows.pieces.map(make)
  }

  // MARK: - From the merge on

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
      return self.report(id, note, log: log, Results(merge: report))
    }
    return try await finish(id, note, area: area, merge: report, isComplete: report.status == .success, phases: log)
  }

  /// What came of the phases behind the load.
  struct Results {
    var merge: RunReport?
    var differs: Bool?
    var failures: AskedRows.Outcome?
    var validation: ReloadReport.Validation?
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
    var (note, log, results) = (note, phases, Results(merge: merge))
    if let verify = steps.verify {
      let options = mergeOptions(id, note, log: log)
      results.differs = try await log.measure(.verify) {
        let result = try await onThreadOfItsOwn { try verify(options) }
        return (result.differs, result.summary)
      }
    }
    if !note.isDone(.failures) { results.failures = try await lookAtFailures(note, &log) }
    if note.validates {
      note = try await beginValidation(id, note, area: area, &log)
      do {
        results.validation = try await validation(note, area: area, &log)
      } catch let failure as ReloadFailure {
        guard case .validationFailed = failure else { throw failure }
        // The next attempt takes another task; this one is left for a look at its log.
        note.failedValidationCount += 1
        note.validationARN = nil
        try await annotate(id, note, log: log)
        throw failure
      }
      // A failure is looked into by its task's name, which stands in DMS's table: the task itself is not needed.
      if !setting.keepsTask, let arn = note.validationARN,
        await delete(arn, note.validationTask, &log, showsPhase: false)
      {
        note.leftTaskARNs.removeAll { $0 == arn }
      }
    }
    // Extra rows are deleted only beside the staging rows that they are not among.
    let hasExtra = (results.failures?.extra ?? 0) > 0
    if setting.cleansUp && isComplete && results.differs != true && !hasExtra {
      let span = note.span
      try await log.measure(.cleanup) {
        let emptied = try await onThreadOfItsOwn { try area.truncateMerged(after: span, ofRun: id) }
        for warning in emptied.compactMap(\.warning) { onEvent(.warning(warning)) }
        let count = emptied.count { $0.truncated != nil }
        return ((), "\(count) of \(emptied.count) staging tables truncated")
      }
    }
    if !setting.keepsTask, let arn = note.taskARN { note.isTaskDeleted = await delete(arn, note.task, &log) }
    note.isFinished = true
    try await annotate(id, note, log: log)
    return report(id, note, log: log, results)
  }

  /// What can't be deleted is said and left: everything else is done.
  func delete(_ arn: String, _ name: String, _ log: inout PhaseLog, showsPhase: Bool = true) async -> Bool {
    let noun = TaskKind(arn: arn).noun
    func attempt() async throws -> String {
      do {
        try await stage.delete(arn: arn)
      } catch let error as AWSError where error.kind == .notFound {
        return "\(noun) \(name) was gone already"
      }
      return "\(noun) \(name) is being deleted"
    }
    do {
      if showsPhase {
        try await log.measure(.delete) { ((), try await attempt()) }
      } else {
        _ = try await attempt()
      }
      return true
    } catch {
      onEvent(.warning("the \(noun) \(name) was not deleted: \(error). merge-engine cleanup tries again."))
      return false
    }
  }

  private func report(_ id: Int, _ note: ReloadNote, log: PhaseLog, _ results: Results) -> ReloadReport {
    ReloadReport(
      runID: id,
      from: note.window?.from.description,
      to: note.window?.to.description,
      task: note.task,
      taskARN: note.taskARN ?? "",
      phases: log.results,
      merge: results.merge,
      differs: results.differs,
      failures: results.failures,
      validation: results.validation
    )
  }

  func mergeOptions(_ id: Int, _ note: ReloadNote, log: PhaseLog) -> MergeOptions {
    var options = setting.options
    options.tables = note.tables
    options.from = note.window?.from.description
    options.to = note.window?.to.description
    // What DMS found to differ often has the same version on both sides.
    if note.rows != nil { options.ties = .compare }
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
