import Spelling

/// Whether a full load was good. Values in, verdict out.
///
/// Neither the state nor the stop reason proves it: a load that the console shows as failed can end in `stopped` with
/// `FULL_LOAD_ONLY_FINISHED`, with 100 % and without an errored table. So everything that can be compared is compared, and
/// whatever the service does not say counts against the load. Rows in staging count only where they were counted.
public enum FullLoadVerdict: Hashable, Sendable {
  /// Everything fits.
  case good
  /// Something does not.
  case bad([LoadProblem])

  /// The reasons; none for a good load.
  public var problems: [LoadProblem] {
    if case .bad(let problems) = self { problems } else { [] }
  }

  /// The part of a stop reason that a finished full load has, after `Stop Reason `.
  private static let finished = "FULL_LOAD_ONLY_FINISHED"

  /// Judges a load.
  ///
  /// - Parameters:
  ///   - task: the task as last described.
  ///   - tables: what it says about its tables.
  ///   - expected: the tables that it should have loaded, with what is in staging.
  ///   - startedAt: when this run started the task; counters from before are another run's.
  ///   - clockSkewSeconds: how much earlier than `startedAt` AWS's clock may say that it was.
  public static func judge(
    task: ReplicationTask,
    tables: [TableStatistics],
    expected: [ExpectedTable],
    startedAt: AWSTimestamp,
    clockSkewSeconds: Double = 300
  ) -> FullLoadVerdict {
    var judge = Judge(task: task)
    judge.state()
    judge.counters(expected: expected.count, notBefore: startedAt.secondsSince1970 - clockSkewSeconds)
    for table in expected { judge.table(table, among: tables) }
    for table in tables where !expected.contains(where: { $0.isMeant(by: table) }) {
      judge.add(
        .tableUnexpected,
        table: "\(table.schemaName).\(table.tableName)",
        "the task loaded this table, which was not asked for: the mapping selects more than it should"
      )
    }
    return judge.problems.isEmpty ? .good : .bad(judge.problems)
  }

  /// What is common to a load and a validation: how the task has ended.
  struct Judge {
    let task: ReplicationTask
    var problems: [LoadProblem] = []

    init(task: ReplicationTask) { self.task = task }

    mutating func add(_ code: LoadProblem.Code, table: String? = nil, _ message: String) {
      problems.append(LoadProblem(code: code, task: task.identifier, table: table, message: message))
    }

    mutating func state() {
      let words = task.lastFailureMessage.map { ", and its last message is: \($0)" } ?? ""
      if task.status != .stopped { add(.notStopped, "it is \(task.status), not stopped\(words)") }
      guard let reason = task.stopReason else {
        add(.otherStopReason, "it gives no stop reason, where a finished load has \(finished)\(words)")
        return
      }
      // "Stop Reason FULL_LOAD_ONLY_FINISHED": the word must stand alone.
      if !reason.split(separator: " ").contains(Substring(finished)) {
        add(.otherStopReason, "it stopped with \"\(reason)\", where a finished load has \(finished)\(words)")
      }
    }

    mutating func counters(expected: Int, notBefore earliest: Double) {
      guard let counters = task.statistics else {
        add(.noStatistics, "it has no statistics, so nothing shows what it loaded")
        return
      }
      if let start = [counters.freshStartDate, counters.startDate].compactMap({ $0 }).max() {
        if start.secondsSince1970 < earliest {
          add(.staleStatistics, "its statistics are from a start at \(start), before this run")
        }
      } else {
        add(.staleStatistics, "its statistics don't say when it was started, so they may be an earlier run's")
      }
      switch counters.tablesErrored {
      case 0?: break
      case let count?: add(.tablesErrored, "it counts \(Spelling.counted(count, "errored table"))")
      case nil: add(.tablesErrored, "it does not say how many tables had errors")
      }
      if let loading = counters.tablesLoading, let queued = counters.tablesQueued {
        let unfinished = loading + queued
        let verb = unfinished == 1 ? "is" : "are"
        if unfinished > 0 {
          add(.tablesUnfinished, "\(Spelling.counted(unfinished, "table")) \(verb) still loading or waiting")
        }
      } else {
        add(.tablesUnfinished, "it does not say how many tables are still loading or waiting")
      }
      let loaded = counters.tablesLoaded ?? 0
      if expected == 0 { add(.wrongTableCount, "no table was expected, so nothing shows that it is good") }
      if loaded != expected {
        add(.wrongTableCount, "it loaded \(Spelling.counted(loaded, "table")) of the \(expected) that were expected")
      }
    }

    mutating func table(_ table: ExpectedTable, among tables: [TableStatistics]) {
      let name = "\(table.targetSchema).\(table.targetTable)"
      let entries = tables.filter(table.isMeant)
      guard let first = entries.first else {
        let source = "\(table.sourceSchema).\(table.sourceTable)"
        add(
          .tableMissing,
          table: name,
          "the task reports nothing about it; does \(source) exist, and may DMS's user read it?"
        )
        return
      }
      for entry in entries where entry.tableState != TableStatistics.completedState {
        let state = entry.tableState.map { "its state is \"\($0)\"" } ?? "it has no state"
        add(.tableNotCompleted, table: name, "\(state), not \"\(TableStatistics.completedState)\"")
      }
      let leftOut = entries.reduce(0) { $0 + ($1.errorRows ?? 0) + ($1.conditionFailedRows ?? 0) }
      if leftOut > 0 { add(.rowsLeftOut, table: name, "\(Spelling.counted(leftOut, "row")) left out") }
      rows(table, loaded: entries.count == 1 ? first.fullLoadRows : nil, name: name)
      if let outside = table.rowsOutsideWindow, outside > 0 {
        let message =
          "\(Spelling.counted(outside, "row")) in staging \(outside == 1 ? "lies" : "lie") outside the window that was asked "
          + "for: its filter does not filter"
        add(.rowsOutsideWindow, table: name, message)
      }
    }

    private mutating func rows(_ table: ExpectedTable, loaded: Int?, name: String) {
      guard let staging = table.stagingRows else { return }
      guard let loaded else {
        add(.rowsDiffer, table: name, "DMS does not say how many rows it loaded, and staging has \(staging)")
        return
      }
      guard loaded != staging else { return }
      let cause =
        staging < loaded ? "rows were lost on the way" : "staging was not empty, or somebody else writes to it"
      add(
        .rowsDiffer,
        table: name,
        "DMS loaded \(Spelling.counted(loaded, "row")) and staging has \(staging): \(cause)"
      )
    }
  }
}
