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

  /// Tests both connections, unless their last tests were good.
  func testConnections(_ route: TaskRoute) async throws {
    let wait = wait(limit: Self.preparationLimit)
    for endpoint in [route.sourceEndpointARN, route.targetEndpointARN] {
      _ = try await wait.connectionTest(instanceARN: route.replicationInstanceARN, endpointARN: endpoint)
    }
  }

  /// The request for a task.
  static func newTask(_ note: ReloadNote, _ documents: TaskDocuments) throws -> NewTask {
    NewTask(
      identifier: try TaskIdentifier(note.task),
      sourceEndpointARN: note.route.sourceEndpointARN,
      targetEndpointARN: note.route.targetEndpointARN,
      replicationInstanceARN: note.route.replicationInstanceARN,
      tableMappings: documents.mappings,
      settings: documents.settings,
      tags: [
        note.tag,
        ResourceTag(key: "merge-engine:from", value: note.window.from.description),
        ResourceTag(key: "merge-engine:to", value: note.window.to.description),
      ]
    )
  }

  /// The task of a reload, wherever it stands; nil if there is none.
  func find(_ note: ReloadNote) async throws -> ReplicationTask? {
    try await service.tasks(taggedWith: note.tag, identifierPrefix: note.task).first
  }

  /// Waits until a new task can be started, and starts it.
  func start(arn: String) async throws {
    _ = try await wait(limit: Self.preparationLimit).untilReady(arn: arn)
    do {
      _ = try await service.startTask(arn: arn)
    } catch let error as AWSError where error.kind == .invalidState {
      // A call whose answer was lost is made again by `aws`: the task may have been started by the first.
      let status = try await service.task(arn: arn).status
      guard status != .ready && status != .creating else { throw error }
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
      reason: "there is no such task any more (\(arn)): somebody deleted it. Start the reload again, with --truncate."
    )
  }

  /// Whether what DMS loaded is what was asked for.
  ///
  /// - Throws: ``ReloadFailure/badLoad(task:problems:)``.
  /// - Returns: rows in staging.
  func judge(_ task: ReplicationTask, _ note: ReloadNote, counts: [StagingArea.Count], since seconds: Double)
    async throws -> Int
  {
    let expected = counts.map { count in
      ExpectedTable(
        sourceSchema: note.sources[count.table]?.schema ?? "",
        sourceTable: note.sources[count.table]?.table ?? count.table,
        targetSchema: setting.options.schemas.staging,
        targetTable: count.stagingTable,
        stagingRows: count.rows,
        rowsOutsideWindow: count.outside
      )
    }
    let verdict = FullLoadVerdict.judge(
      task: task,
      tables: try await service.tableStatistics(taskARN: task.arn),
      expected: expected,
      startedAt: AWSTimestamp(secondsSince1970: seconds)
    )
    guard verdict.problems.isEmpty else {
      throw ReloadFailure.badLoad(task: task.identifier, problems: verdict.problems)
    }
    return counts.reduce(0) { $0 + $1.rows }
  }

  private func wait(limit: Duration?) -> TaskWait<ContinuousClock> {
    TaskWait(service: service, interval: setting.pollInterval, limit: limit)
  }
}
