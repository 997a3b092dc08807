import DMS
import Foundation
import MergeEngine

/// The part of a reload that happens in AWS: connections, the task, its load.
struct LoadStage: Sendable {
  let service: DMSService
  let setting: ReloadSetting
  let onEvent: @Sendable (ReloadEvent) -> Void

  /// How long a connection test, or the making of a task, may take. Arbitrary: both take a minute or two.
  private static let preparationLimit = Duration.seconds(900)

  /// Tests both connections, unless their last tests were good; a serverless replication tests its own when it is started.
  func testConnections(_ route: TaskRoute) async throws {
    guard case .instance(let instance) = route.runner else { return }
    let wait = wait(limit: Self.preparationLimit)
    for endpoint in [route.sourceEndpointARN, route.targetEndpointARN] {
      _ = try await wait.connectionTest(instanceARN: instance, endpointARN: endpoint)
    }
  }

  /// The request for a task.
  ///
  /// - Parameter name: the task's, where it is not the one that loads.
  static func newTask(_ note: ReloadNote, _ documents: TaskDocuments, name: String? = nil) throws -> NewTask {
    let name = name ?? note.task
    let window = note.window.map { window in
      [
        ResourceTag(key: "merge-engine:from", value: window.from.description),
        ResourceTag(key: "merge-engine:to", value: window.to.description),
      ]
    }
    return NewTask(
      identifier: try TaskIdentifier(name),
      sourceEndpointARN: note.route.sourceEndpointARN,
      targetEndpointARN: note.route.targetEndpointARN,
      runner: note.route.runner,
      tableMappings: documents.mappings,
      settings: documents.settings,
      tags: [ResourceTag(key: ReloadNote.tagKey, value: name)] + (window ?? [])
    )
  }

  /// The task of a reload, wherever it stands; nil if there is none.
  func find(_ note: ReloadNote) async throws -> ReplicationTask? {
    try await find(note.task, kind: note.route.runner.kind)
  }

  /// The task of that name that a reload has made.
  func find(_ name: String, kind: TaskKind) async throws -> ReplicationTask? {
    let tag = ResourceTag(key: ReloadNote.tagKey, value: name)
    return try await service.tasks(taggedWith: tag, identifierPrefix: name, kind: kind).first
  }

  /// Waits until a new task can be started, and starts it.
  func start(arn: String) async throws {
    _ = try await wait(limit: Self.preparationLimit).untilReady(arn: arn)
    do {
      _ = try await service.startTask(arn: arn)
    } catch let error as AWSError where error.kind == .invalidState {
      // A call whose answer was lost is made again by `aws`: the task may have been started by the first.
      let status = try await service.task(arn: arn).status
      guard !status.isStartable && status != .creating && status != .modifying else { throw error }
    }
  }

  /// Waits until the task is at an end, and tells how far it is.
  func watch(_ name: String, arn: String, tableCount: Int) async throws -> ReplicationTask {
    let start = ContinuousClock.now
    @Sendable func show(_ task: ReplicationTask) async {
      // For the display only: without an answer it says what it said before.
      let tables = (try? await service.tableStatistics(taskARN: arn)) ?? []
      let progress = LoadProgress(
        status: task.status.rawValue,
        percent: task.statistics?.fullLoadProgressPercent,
        tablesLoaded: task.statistics?.tablesLoaded ?? 0,
        tableCount: tableCount,
        rows: tables.reduce(0) { $0 + ($1.fullLoadRows ?? 0) },
        elapsedMilliseconds: Int((ContinuousClock.now - start) / .milliseconds(1))
      )
      onEvent(.loading(progress))
    }
    do {
      _ = try await wait(limit: setting.startLimit).untilUnderWay(arn: arn)
      return try await wait(limit: setting.loadLimit).untilAtAnEnd(arn: arn, progress: show)
    } catch let error as AWSError where error.kind == .notFound {
      throw Self.lost(name, arn: arn)
    }
  }

  /// A task that was there is not there any more.
  static func lost(_ name: String, arn: String) -> ReloadFailure {
    .taskFailed(
      task: name,
      reason:
        "there is no such \(TaskKind(arn: arn).noun) any more (\(arn)): somebody deleted it. Start the reload again, with --truncate."
    )
  }

  /// Whether what DMS loaded is what was asked for.
  ///
  /// - Parameter counts: the tables that this task has loaded.
  /// - Throws: ``ReloadFailure/badLoad(task:problems:)``.
  func judge(_ task: ReplicationTask, _ note: ReloadNote, counts: [StagingArea.Count], since seconds: Double)
    async throws
  {
    let expected = counts.map { count in
      var table = expectation(count.table, note) { $0.staging }
      table.targetTable = count.stagingTable
      // What earlier pieces have brought is not this one's.
      table.stagingRows = count.rows - (note.loadedRowCounts[count.table] ?? 0)
      table.rowsOutsideWindow = count.outside
      return table
    }
    let verdict = FullLoadVerdict.judge(
      task: task,
      tables: try await tableStatistics(task),
      expected: expected,
      startedAt: AWSTimestamp(secondsSince1970: seconds)
    )
    guard verdict.problems.isEmpty else {
      throw ReloadFailure.badLoad(task: task.identifier, problems: verdict.problems)
    }
  }

  /// - Parameter side: which schema of its pair the table is in.
  private func expectation(_ table: String, _ note: ReloadNote, in side: (SchemaPair) -> String) -> ExpectedTable {
    let place = setting.options.schemas.place(of: table)
    return ExpectedTable(
      sourceSchema: note.sources[table]?.schema ?? "",
      sourceTable: note.sources[table]?.table ?? table,
      targetSchema: place.map { side($0.pair) } ?? "",
      targetTable: place?.name ?? table,
      name: table
    )
  }

  /// What a validation has compared, and found.
  func judgeValidation(_ task: ReplicationTask, _ note: ReloadNote, tables: [String]) async throws -> ValidationVerdict
  {
    ValidationVerdict.judge(
      task: task,
      tables: try await tableStatistics(task),
      expected: tables.map { expectation($0, note) { $0.production } }
    )
  }

  /// Deletes a task; waits a while for AWS to let go of a serverless one.
  func delete(arn: String) async throws {
    try await wait(limit: setting.deletionLimit).deleted(arn: arn)
  }

  /// - Throws: ``ReloadFailure/taskFailed(task:reason:)`` when AWS has forgotten what a serverless replication did.
  private func tableStatistics(_ task: ReplicationTask) async throws -> [TableStatistics] {
    do {
      return try await service.tableStatistics(taskARN: task.arn)
    } catch let error as AWSError where error.kind == .invalidState && task.kind == .serverless {
      let state = task.provisionState.map { " (\($0))" } ?? ""
      throw ReloadFailure.taskFailed(
        task: task.identifier,
        reason:
          "AWS has released what the replication ran on\(state), and its statistics with it, so nothing shows whether the load "
          + "was good. Start the reload again, with --truncate."
      )
    }
  }

  private func wait(limit: Duration?) -> TaskWait<ContinuousClock> {
    TaskWait(service: service, interval: setting.pollInterval, limit: limit)
  }
}
