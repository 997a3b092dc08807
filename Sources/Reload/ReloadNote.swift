import DMS
import Foundation
import MergeEngine

/// What a reload writes down about itself in `merge_summary.parameters`, so that it can be gone on with.
struct ReloadNote: Sendable {
  /// The task's name, which is also the value of its tag.
  var task: String
  var window: TimeWindow
  var padding: WindowPadding
  var route: TaskRoute
  /// The source table of each staging table.
  var sources: [String: (schema: String, table: String)]
  /// Known as soon as the task is made.
  var taskARN: String?
  /// Nothing is left to do.
  var isFinished = false
  /// The task is gone, or going.
  var isTaskDeleted = false
  /// What the phases of earlier attempts took, as it is recorded: `load_ms`.
  private var durations: [String: String] = [:]

  /// The key of the tag, and the annotation by which runs of this kind are known.
  static let key = "reload"
  static let tagKey = "merge-engine:reload"
  private static let sourcePrefix = "source."

  /// How the prefix of a task's name reads; the rest makes it unique in the account.
  static let namePrefix = "merge-engine-reload-"

  /// A name that no other task has: the moment and a random number.
  static func newName(at date: Date) -> String {
    let digits = date.formatted(.iso8601).filter(\.isNumber)
    return namePrefix + digits + "-" + String(UInt32.random(in: .min ... .max), radix: 36)
  }

  /// The staging tables.
  var tables: [String] { sources.keys.sorted() }

  /// The load was judged, and is good. What stands in staging is then the merge's business, and the task has done its part.
  var isLoadGood: Bool { durations["\(ReloadPhase.judge.rawValue)_ms"] != nil }

  var tag: ResourceTag { ResourceTag(key: Self.tagKey, value: task) }

  var span: LoadedSpan {
    let bounds = window.loadBounds(padding: padding)
    return LoadedSpan(
      from: window.from.description,
      to: window.to.description,
      lowest: bounds.lowerBound.description,
      highest: bounds.upperBound.description
    )
  }

  var annotations: [String: String] {
    var notes = [
      Self.key: task,
      "window_from": window.from.description,
      "window_to": window.to.description,
      "pad_seconds_before": "\(padding.secondsBefore)",
      "pad_seconds_after": "\(padding.secondsAfter)",
      "source_endpoint_arn": route.sourceEndpointARN,
      "target_endpoint_arn": route.targetEndpointARN,
      "replication_instance_arn": route.replicationInstanceARN,
      "finished": isFinished ? "true" : "false",
      "task_deleted": isTaskDeleted ? "true" : "false",
    ]
    notes["task_arn"] = taskARN
    notes.merge(durations) { $1 }
    for (table, source) in sources { notes[Self.sourcePrefix + table] = "\(source.schema).\(source.table)" }
    return notes
  }

  init(request: ReloadRequest, task: String, documents: TaskDocuments) {
    self.task = task
    window = request.window
    padding = request.padding
    route = request.route
    sources = documents.sources
  }

  /// Reads what was written; nil if it is not complete.
  init?(_ notes: [String: String]) {
    guard let task = notes[Self.key],
      let from = try? SourceTime(notes["window_from"] ?? ""), let to = try? SourceTime(notes["window_to"] ?? ""),
      let window = try? TimeWindow(from: from, to: to)
    else { return nil }
    self.task = task
    self.window = window
    padding = WindowPadding(
      secondsBefore: Int64(notes["pad_seconds_before"] ?? "") ?? 0,
      secondsAfter: Int64(notes["pad_seconds_after"] ?? "") ?? 0
    )
    sources = [:]
    for (key, value) in notes where key.hasPrefix(Self.sourcePrefix) {
      let names = value.split(separator: ".", maxSplits: 1).map(String.init)
      guard names.count == 2 else { return nil }
      sources[String(key.dropFirst(Self.sourcePrefix.count))] = (names[0], names[1])
    }
    route = TaskRoute(
      sourceEndpointARN: notes["source_endpoint_arn"] ?? "",
      targetEndpointARN: notes["target_endpoint_arn"] ?? "",
      replicationInstanceARN: notes["replication_instance_arn"] ?? ""
    )
    taskARN = notes["task_arn"]
    isFinished = notes["finished"] == "true"
    isTaskDeleted = notes["task_deleted"] == "true"
    durations = notes.filter { $0.key.hasSuffix("_ms") }
  }
}
