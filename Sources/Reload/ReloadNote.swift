import DMS
import Foundation
import MergeEngine

/// What a reload writes down about itself in `merge_summary.parameters`, so that it can be gone on with.
struct ReloadNote: Sendable {
  /// The task's name, which is also the value of its tag; of several pieces the present one's.
  var task: String
  /// What is loaded: a window, or single rows.
  var scope: ReloadRequest.Scope
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
  /// Other tasks that are in AWS still: of earlier pieces, and the one that validates.
  var leftTaskARNs: [String] = []
  /// How many pieces of the load were judged, and are good.
  var judgedPieceCount = 0
  /// Rows in each staging table after the last piece that was judged.
  var loadedRowCounts: [String: Int] = [:]
  /// What tells rows of production that were there before the load: ``AskedRows/horizon()``.
  var horizon: String?
  /// DMS compares Oracle and production at the end.
  var validates = false
  /// The task that does.
  var validationARN: String?
  /// Validations that came to nothing.
  var failedValidationCount = 0
  /// What the phases of earlier attempts took, as it is recorded: `load_ms`.
  private var durations: [String: String] = [:]

  /// The key of the tag, and the annotation by which runs of this kind are known.
  static let key = "reload"
  static let tagKey = "merge-engine:reload"
  private static let sourcePrefix = "source."
  private static let computeKey = "serverless"
  private static let loadedPrefix = "loaded."
  private static let keysKey = "validation_keys"

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
  var isLoadGood: Bool {
    switch scope {
    case .window: isDone(.judge)
    case .rows(let rows): judgedPieceCount >= rows.pieces.count
    }
  }

  /// An earlier attempt has gone through a phase.
  func isDone(_ phase: ReloadPhase) -> Bool { durations["\(phase.rawValue)_ms"] != nil }

  /// The window; nil for single rows.
  var window: TimeWindow? { if case .window(let window) = scope { window } else { nil } }

  /// The rows; nil for a window.
  var rows: FailedRows? { if case .rows(let rows) = scope { rows } else { nil } }

  /// Every task that may be in AWS still.
  var taskARNs: [String] { (isTaskDeleted ? [] : [taskARN].compactMap(\.self)) + leftTaskARNs }

  /// Goes on to the next piece, which has a task of its own.
  mutating func beginNextPiece(task: String) {
    self.task = task
    taskARN = nil
  }

  /// The name of the task that validates.
  var validationTask: String {
    task + "-validation" + (failedValidationCount > 0 ? "-\(failedValidationCount + 1)" : "")
  }

  /// What a window brings; nil for single rows.
  var span: LoadedSpan? {
    guard let window else { return nil }
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
      "pad_seconds_before": "\(padding.secondsBefore)",
      "pad_seconds_after": "\(padding.secondsAfter)",
      "source_endpoint_arn": route.sourceEndpointARN,
      "target_endpoint_arn": route.targetEndpointARN,
      "finished": isFinished ? "true" : "false",
      "task_deleted": isTaskDeleted ? "true" : "false",
    ]
    switch route.runner {
    case .instance(let arn): notes["replication_instance_arn"] = arn
    case .serverless(let compute):
      notes[Self.computeKey] = (try? JSONEncoder().encode(compute)).map { String(decoding: $0, as: UTF8.self) }
    }
    // What is annotated stays until it is said anew: between two pieces there is no task.
    notes["task_arn"] = taskARN ?? (rows == nil ? nil : "")
    notes["horizon"] = horizon
    if validates {
      notes["validates"] = "true"
      notes["validation_task_arn"] = validationARN ?? ""
      notes["failed_validations"] = "\(failedValidationCount)"
    }
    if !leftTaskARNs.isEmpty || validates || rows != nil {
      notes["left_task_arns"] = leftTaskARNs.joined(separator: " ")
    }
    switch scope {
    case .window(let window):
      notes["window_from"] = window.from.description
      notes["window_to"] = window.to.description
    case .rows(let rows):
      notes[Self.keysKey] = (try? JSONEncoder().encode(rows.keys)).map { String(decoding: $0, as: UTF8.self) }
      notes["extra_file"] = rows.output
      notes["judged_pieces"] = "\(judgedPieceCount)"
    }
    for (table, count) in loadedRowCounts { notes[Self.loadedPrefix + table] = "\(count)" }
    notes.merge(durations) { $1 }
    for (table, source) in sources { notes[Self.sourcePrefix + table] = "\(source.schema).\(source.table)" }
    return notes
  }

  /// - Parameter sources: the source table of each staging table.
  init(request: ReloadRequest, task: String, sources: [String: (schema: String, table: String)]) {
    self.task = task
    scope = request.scope
    validates = request.validates
    padding = request.padding
    route = request.route
    self.sources = sources
  }

  /// Reads what was written; nil if it is not complete.
  init?(_ notes: [String: String]) {
    guard let task = notes[Self.key], let scope = Self.scope(notes) else { return nil }
    self.task = task
    self.scope = scope
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
      runner: Self.runner(notes)
    )
    taskARN = notes["task_arn"].flatMap { $0.isEmpty ? nil : $0 }
    isFinished = notes["finished"] == "true"
    isTaskDeleted = notes["task_deleted"] == "true"
    durations = notes.filter { $0.key.hasSuffix("_ms") }
    leftTaskARNs = (notes["left_task_arns"] ?? "").split(separator: " ").map(String.init)
    judgedPieceCount = Int(notes["judged_pieces"] ?? "") ?? 0
    horizon = notes["horizon"]
    validates = notes["validates"] == "true"
    validationARN = notes["validation_task_arn"].flatMap { $0.isEmpty ? nil : $0 }
    failedValidationCount = Int(notes["failed_validations"] ?? "") ?? 0
    for (key, value) in notes where key.hasPrefix(Self.loadedPrefix) {
      loadedRowCounts[String(key.dropFirst(Self.loadedPrefix.count))] = Int(value)
    }
  }

  private static func scope(_ notes: [String: String]) -> ReloadRequest.Scope? {
    if let text = notes[keysKey] {
      let keys = try? JSONDecoder().decode(KeyPieces.Keys.self, from: Data(text.utf8))
      return keys.map { .rows(FailedRows(keys: $0, output: notes["extra_file"] ?? "")) }
    }
    guard let from = try? SourceTime(notes["window_from"] ?? ""), let to = try? SourceTime(notes["window_to"] ?? ""),
      let window = try? TimeWindow(from: from, to: to)
    else { return nil }
    return .window(window)
  }

  private static func runner(_ notes: [String: String]) -> TaskRunner {
    guard let text = notes[computeKey] else { return .instance(arn: notes["replication_instance_arn"] ?? "") }
    let compute = try? JSONDecoder().decode(ComputeConfig.self, from: Data(text.utf8))
    return .serverless(compute ?? ComputeConfig(maxCapacityUnits: 1))
  }
}
