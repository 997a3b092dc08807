import DMS
import Foundation
import Libpq
import Logging
import MergeEngine

/// What is left of runs that are over: rows in staging, tasks in AWS, old records.
package struct Cleanup: Sendable {
  /// What is to be cleaned up.
  package struct Request: Sendable {
    /// Empty staging even if rows in it are not merged, and delete tasks that could still be gone on with.
    package var isForced = false
    /// Leave staging as it is.
    package var keepsStaging = false
    /// Leave tasks in AWS.
    package var keepsTasks = false
    /// The folder for the records of ``run``, and of runs that are deleted.
    package var archive: String?
    /// The run whose records are archived; nil for the latest that is at an end.
    package var run: Int?
    /// Delete the records of runs that are older.
    package var olderThanDays: Int?
    /// Drop the before-images of runs that are older.
    package var beforeImagesOlderThanDays: Int?

    /// Makes a request with the defaults.
    package init() {}
  }

  /// What was done.
  package struct Report: Sendable, Encodable {
    /// What became of a task.
    package struct Task: Sendable, Encodable {
      /// Its name.
      package let task: String
      /// Whether it is gone or going.
      package let deleted: Bool
      /// Why it was left.
      package let reason: String?
    }

    /// Files that were written.
    package internal(set) var archived: [String] = []
    /// Staging, table by table.
    package internal(set) var staging: [StagingArea.Emptied] = []
    /// Tasks of runs that are over.
    package internal(set) var tasks: [Task] = []
    /// Runs whose records were deleted.
    package internal(set) var pruned: [Int] = []
    /// Tables with before-images that were dropped.
    package internal(set) var beforeImages: [String] = []
    /// Entries of the ledger that could say nothing any more.
    package internal(set) var prunedEntries = 0

    private enum CodingKeys: String, CodingKey {
      case archived, staging, tasks, pruned
      case beforeImages = "before_images"
      case prunedEntries = "pruned_entries"
    }

    /// Whether something was left that should have gone.
    package var isIncomplete: Bool { staging.contains { $0.reason != nil } || tasks.contains { !$0.deleted } }
  }

  private let setting: ReloadSetting
  private let service: DMSService
  private let runs: LoadingRuns
  private let archive: RunArchive
  private let logger: Logger

  /// - Parameters:
  ///   - setting: database and schemas.
  ///   - service: DMS; not called unless a reload has left a task.
  ///   - logger: gets warnings.
  package init(setting: ReloadSetting, service: DMSService, logger: Logger) {
    self.setting = setting
    self.service = service
    self.logger = logger
    runs = LoadingRuns(target: setting.target, schemas: setting.options.schemas, logger: logger)
    archive = RunArchive(target: setting.target, schemas: setting.options.schemas, logger: logger)
  }

  /// Archives first and deletes records last, so that nothing goes that was to be kept.
  ///
  /// - Throws: ``ReloadFailure``, `MergeFailure`, `PostgresError`.
  package func run(_ request: Request) async throws -> Report {
    var report = Report()
    let old = try await onThreadOfItsOwn { try request.olderThanDays.map { try archive.runs(olderThanDays: $0) } ?? [] }
    report.archived = try await onThreadOfItsOwn { try write(request, old) }
    let reloads = try await onThreadOfItsOwn { try runs.runs(annotatedWith: ReloadNote.key) }
    let area = try await onThreadOfItsOwn {
      try StagingArea(
        target: setting.target,
        stagingTarget: setting.stagingTarget,
        options: setting.options,
        logger: logger
      )
    }
    if !request.keepsStaging {
      report.staging = try await onThreadOfItsOwn {
        try area.requireNoMerge()
        return try empty(area, request, reloads)
      }
    }
    if !request.keepsTasks { report.tasks = try await deleteTasks(of: reloads, isForced: request.isForced) }
    report.beforeImages = try await onThreadOfItsOwn {
      try request.beforeImagesOlderThanDays.map { try archive.dropBeforeImages(olderThanDays: $0) } ?? []
    }
    try await onThreadOfItsOwn { try archive.delete(old) }
    report.pruned = old
    report.prunedEntries = try await onThreadOfItsOwn { try area.pruneLedger() }
    return report
  }

  private func write(_ request: Request, _ old: [Int]) throws -> [String] {
    guard let folder = request.archive else { return [] }
    var ids = old
    if let id = try request.run ?? archive.latest(), !ids.contains(id) { ids.append(id) }
    return try ids.map { try archive.write($0, to: folder) }
  }

  private func empty(_ area: StagingArea, _ request: Request, _ reloads: [LoadingRuns.Run]) throws
    -> [StagingArea.Emptied]
  {
    if request.isForced { return try area.truncate() }
    if let run = reloads.first(where: { $0.status == .loading }) {
      return area.tables.map { .init(table: $0.name, truncated: nil, reason: "run \(run.id) is loading into it") }
    }
    // Only the latest reload can have left rows that nobody wants.
    var span = reloads.first.flatMap { ReloadNote($0.annotations)?.span }
    span?.timeZone = reloads.first?.timeZone
    return try area.truncateMerged(after: span, ofRun: reloads.first?.id)
  }

  private func deleteTasks(of reloads: [LoadingRuns.Run], isForced: Bool) async throws -> [Report.Task] {
    var tasks: [Report.Task] = []
    for run in reloads where run.status != .loading && run.status != .running {
      guard var note = ReloadNote(run.annotations), !note.taskARNs.isEmpty else { continue }
      // A good load whose merge failed is gone on with through its task.
      guard note.isFinished || !note.isLoadGood || isForced else {
        let reason = "its load is good and not merged: merge-engine reload --resume --run \(run.id)"
        tasks.append(.init(task: note.task, deleted: false, reason: reason))
        continue
      }
      let arns = note.taskARNs
      var left: [String] = []
      for arn in arns {
        let task = arn == note.taskARN ? note.task : arn
        let reason = try await delete(arn)
        if reason != nil { left.append(arn) }
        tasks.append(.init(task: task, deleted: reason == nil, reason: reason))
      }
      guard left != arns else { continue }
      note.isTaskDeleted = note.isTaskDeleted || !left.contains { $0 == note.taskARN }
      note.leftTaskARNs = left.filter { $0 != note.taskARN }
      // Said even where nothing is left: what is annotated stays until it is said anew.
      let annotations = note.annotations.merging(["left_task_arns": note.leftTaskARNs.joined(separator: " ")]) { $1 }
      try await onThreadOfItsOwn { try runs.annotate(run.id, annotations) }
    }
    return tasks
  }

  /// - Returns: why AWS did not let it go; nil if it is gone or going.
  private func delete(_ arn: String) async throws -> String? {
    do {
      _ = try await service.deleteTask(arn: arn)
    } catch let error as AWSError where error.kind == .notFound {
      // Somebody else was quicker.
    } catch let error as AWSError where error.isAboutReachingAWS {
      throw ReloadFailure.unreachable(error, goOn: "Staging is cleaned up; to leave the tasks alone, use --keep-task.")
    } catch let error as AWSError {
      return "\(error)"
    }
    return nil
  }
}
