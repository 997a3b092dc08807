import DMS
import Foundation
import MergeEngine

/// DMS's own validation: what became of what it has found, and having it look once more.
extension Reload {
  /// Looks at the rows that DMS found to differ, once they are merged.
  ///
  /// - Returns: nil where a window was loaded.
  func lookAtFailures(_ note: ReloadNote, _ log: inout PhaseLog) async throws -> AskedRows.Outcome? {
    guard let rows = note.rows else { return nil }
    let asked = AskedRows(
      target: setting.target,
      stagingTarget: setting.stagingTarget,
      options: setting.options,
      logger: logger
    )
    return try await log.measure(.failures) {
      let outcome = try await onThreadOfItsOwn {
        try asked.outcome(
          rows.keys,
          rowCounts: note.loadedRowCounts,
          horizon: note.horizon ?? "3",
          path: rows.output
        )
      }
      let extra = outcome.extraFile.map { ", written to \($0)" } ?? ""
      return (
        outcome,
        "\(Numbers.grouped(outcome.mended)) of \(Numbers.counted(outcome.asked, "failure")) mended, "
          + "\(Numbers.counted(outcome.remaining.count, "failure")) left, \(Numbers.counted(outcome.extra, "row")) that Oracle no longer has"
          + extra
      )
    }
  }

  /// Finds or makes the task that validates, and sees that it is started.
  func beginValidation(_ id: Int, _ note: ReloadNote, area: StagingArea, _ log: inout PhaseLog) async throws
    -> ReloadNote
  {
    var note = note
    let known = note
    let tables = area.tables.map(\.name)
    let arn = try await translatingValidation(note.validationTask) {
      if let arn = known.validationARN { return arn }
      if let found = try await stage.find(known.validationTask, kind: known.route.runner.kind) { return found.arn }
      guard let window = known.window, let make = steps.validationDocuments else {
        throw ReloadFailure.validationFailed(task: nil, reason: "there is no window to validate.")
      }
      let task = try LoadStage.newTask(known, try make(tables, window), name: known.validationTask)
      return try await stage.service.createTask(task).arn
    }
    note.validationARN = arn
    if !note.leftTaskARNs.contains(arn) { note.leftTaskARNs.append(arn) }
    try await annotate(id, note, log: log)
    try await translatingValidation(note.validationTask) {
      let status = try await stage.service.task(arn: arn).status
      if status == .creating || status.isStartable { try await stage.start(arn: arn) }
    }
    return note
  }

  /// Waits for the task that validates, and judges what it says.
  ///
  /// - Throws: ``ReloadFailure/validationFailed(task:reason:)`` when not everything was compared; rows that differ are a result.
  func validation(_ note: ReloadNote, area: StagingArea, _ log: inout PhaseLog) async throws
    -> ReloadReport.Validation
  {
    let arn = note.validationARN ?? ""
    let result = try await log.measure(.validate) {
      try await translatingValidation(note.validationTask) {
        let task = try await stage.watch(note.validationTask, arn: arn, tableCount: area.tables.count)
        let verdict = try await stage.judgeValidation(task, note, tables: area.tables.map(\.name))
        guard verdict.problems.isEmpty else {
          throw ReloadFailure.validationFailed(
            task: note.validationTask,
            reason: "not everything was compared:\n" + verdict.problems.map { "  \($0)" }.joined(separator: "\n")
          )
        }
        let open = try await openCount(verdict, arn: arn)
        let result = ReloadReport.Validation(
          task: note.validationTask,
          taskARN: arn,
          mismatches: verdict.mismatches,
          open: open
        )
        let found = verdict.mismatches.reduce(0) { $0 + $1.rows }
        let standing =
          found > 0
          ? ", of which \(Numbers.grouped(open)) \(open == 1 ? "differs" : "differ") still: merge-engine validation list"
          : ""
        return (
          result,
          "\(Numbers.counted(area.tables.count, "table")) compared by DMS, \(Numbers.counted(found, "row")) found to differ\(standing)"
        )
      }
    }
    return result
  }

  /// How many of the rows that were found differ still: CDC has gone on, and rows of the target outside of the window are
  /// missing on the source for no other reason than the filter.
  private func openCount(_ verdict: ValidationVerdict, arn: String) async throws -> Int {
    let found = verdict.mismatches.reduce(0) { $0 + $1.rows }
    guard found > 0, let read = steps.failures else { return found }
    do {
      let report = try await onThreadOfItsOwn { try read(arn) }
      // DMS's table does not have to name the task as its ARN does.
      guard !report.failures.isEmpty else { return found }
      return report.openCount
    } catch MergeFailure.blocked(let findings) {
      onEvent(.warning("what DMS found can't be read: \(findings.map(\.message).joined(separator: " "))"))
      return found
    }
  }

  private func translatingValidation<Value>(_ task: String, _ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch is CancellationError {
      throw ReloadFailure.interrupted(
        goOn:
          "Interrupted while DMS validates, which continues in AWS. The merge is done. Continue with: merge-engine reload --resume"
      )
    } catch let error as AWSError where error.isAboutReachingAWS {
      throw ReloadFailure.unreachable(error, goOn: "The merge is done. Validate again: merge-engine reload --resume")
    } catch let error as AWSError {
      throw ReloadFailure.validationFailed(task: task, reason: "\(error)")
    } catch let error as TaskWaitError {
      throw ReloadFailure.validationFailed(task: nil, reason: "\(error)")
    } catch ReloadFailure.taskFailed(_, let reason) {
      throw ReloadFailure.validationFailed(task: task, reason: reason)
    }
  }
}
