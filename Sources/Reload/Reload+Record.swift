import DMS
import Foundation
import MergeEngine

/// What a reload leaves behind in `merge_summary`, and what it says when it ends before its time.
extension Reload {
  func annotate(_ id: Int, _ note: ReloadNote, log: PhaseLog) async throws {
    let annotations = note.annotations.merging(log.annotations) { $1 }
    try await onThreadOfItsOwn { try runs.annotate(id, annotations) }
  }

  func recorded(_ id: Int?) async throws -> LoadingRuns.Run {
    let found = try await onThreadOfItsOwn { try runs.runs(annotatedWith: ReloadNote.key, id: id) }
    guard let run = found.first else {
      throw ReloadFailure.nothingToResume(
        id.map { "run \($0) is not a reload, or there is no such run: merge-engine status shows the last runs." }
          ?? "there has been no reload into this database yet."
      )
    }
    return run
  }

  /// A run whose task is not there.
  func lost(_ run: LoadingRuns.Run, _ note: ReloadNote) async throws -> ReloadFailure {
    guard let arn = note.taskARN else {
      try await onThreadOfItsOwn { try runs.close(run.id, .aborted, notes: "No task was created.") }
      return .nothingToResume(
        "run \(run.id) had not created its \(note.route.runner.kind.noun) yet. Start the reload again."
      )
    }
    let reason =
      "there is no such \(TaskKind(arn: arn).noun) any more (\(arn)): somebody deleted it. Start the reload again, with --truncate."
    try await onThreadOfItsOwn { try runs.close(run.id, .failed, notes: reason) }
    return .taskFailed(task: note.task, reason: reason)
  }

  /// Runs a part of the load; what ends it closes the run, unless the load itself goes on.
  func closingRun<Value>(_ id: Int, _ note: ReloadNote, body: () async throws -> Value) async throws -> Value {
    do {
      return try await translating(task: note.task, goOn: goOn(id, note), body)
    } catch let failure as ReloadFailure {
      switch failure {
      case .badLoad, .taskFailed:
        try await onThreadOfItsOwn { try runs.close(id, .failed, notes: "\(failure)") }
      case .unreachable(let error, _) where note.taskARN == nil && !error.isTransient:
        try await onThreadOfItsOwn { try runs.close(id, .failed, notes: "\(error)") }
        throw ReloadFailure.unreachable(error, goOn: "Nothing was created in AWS, and nothing was merged.")
      case .validationFailed, .unreachable, .interrupted, .nothingToResume, .underWay: break
      }
      throw failure
    } catch {
      // The database, not the load: it can be gone on with as soon as the database is back.
      onEvent(.warning(goOn(id, note)))
      throw error
    }
  }

  private func goOn(_ id: Int, _ note: ReloadNote) -> String {
    let command = "merge-engine reload --resume"
    guard let arn = note.taskARN else {
      return
        "The \(note.route.runner.kind.noun) \(note.task) of run \(id) may or may not have been created. Nothing was merged. Continue with: \(command)"
    }
    return """
      The \(note.route.runner.kind.noun) \(note.task) of run \(id) was left as it is: a load continues in AWS without this command. Nothing \
      was merged yet.
      Continue with: \(command)
      Stop it:       \(note.route.runner.kind.stopCommand(arn: arn))
      """
  }

  /// Turns what AWS and the clock say into failures with an exit status.
  func translating<Value>(
    task: String?,
    goOn: String? = nil,
    _ body: () async throws -> Value
  ) async throws -> Value {
    do {
      return try await body()
    } catch is CancellationError {
      throw ReloadFailure.interrupted(goOn: goOn ?? "Interrupted; nothing was started.")
    } catch let error as AWSError where error.isAboutReachingAWS {
      throw ReloadFailure.unreachable(error, goOn: goOn)
    } catch let error as AWSError {
      throw ReloadFailure.taskFailed(task: task, reason: "\(error)")
    } catch let error as TaskWaitError {
      throw ReloadFailure.taskFailed(task: nil, reason: "\(error)")
    }
  }
}
