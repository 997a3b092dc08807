/// One reason why a load is not taken for good.
public struct LoadProblem: Codable, Hashable, Sendable, CustomStringConvertible {
  /// Reasons by their stable names.
  public enum Code: String, Codable, Sendable, CaseIterable {
    /// The task is not `stopped`.
    case notStopped = "not-stopped"
    /// It stopped for another reason than having finished.
    case otherStopReason = "other-stop-reason"
    /// There are no counters.
    case noStatistics = "no-statistics"
    /// The counters are those of an earlier run.
    case staleStatistics = "stale-statistics"
    /// Tables with errors.
    case tablesErrored = "tables-errored"
    /// Tables that are still loading or waiting.
    case tablesUnfinished = "tables-unfinished"
    /// More or fewer tables than expected.
    case wrongTableCount = "wrong-table-count"
    /// A table that the task says nothing about.
    case tableMissing = "table-missing"
    /// A table that nobody asked for.
    case tableUnexpected = "table-unexpected"
    /// A table in another state than completed.
    case tableNotCompleted = "table-not-completed"
    /// A table with rows left out.
    case rowsLeftOut = "rows-left-out"
    /// A table with other rows in staging than were loaded.
    case rowsDiffer = "rows-differ"
    /// A table with rows outside of the window.
    case rowsOutsideWindow = "rows-outside-window"
    /// A table that was not validated, or not all of it.
    case notValidated = "not-validated"
  }

  /// Which reason.
  public let code: Code
  /// The task.
  public let task: String
  /// The table, where it is about one.
  public let table: String?
  /// What is the matter.
  public let message: String

  /// `task reload-12, table orders: message [code]`.
  public var description: String {
    "task \(task)\(table.map { ", table \($0)" } ?? ""): \(message) [\(code.rawValue)]"
  }
}
