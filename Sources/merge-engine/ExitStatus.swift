import MergeEngine

/// What the program's exit status says; the table of the contract.
enum ExitStatus: Int32 {
  /// Done, no row quarantined, nothing differs.
  case done = 0
  /// Wrong usage.
  case usage = 64
  /// Done, but rows are quarantined or differences were found.
  case rowsRefused = 65
  /// The database or AWS can't be reached or refused the login.
  case unreachable = 69
  /// A failure that is none of the others: a bug.
  case internalFailure = 70
  /// Blocked before anything was written.
  case blocked = 73
  /// Failed while merging; the batches before are committed.
  case failed = 74
  /// Another merge holds the table.
  case busy = 75
  /// The DMS task failed, or loaded less than it should have.
  case loadFailed = 76
  /// The configuration file is wrong.
  case configuration = 78
  /// Ended by SIGINT.
  case interrupted = 130
  /// Ended by SIGTERM.
  case terminated = 143

  /// The word for it in JSON, where there is no result that has one.
  var outcome: String {
    switch self {
    case .done: "SUCCESS"
    case .rowsRefused: "PARTIAL"
    case .usage, .unreachable, .blocked, .busy, .configuration: "BLOCKED"
    case .internalFailure, .failed, .loadFailed: "FAILED"
    case .interrupted, .terminated: "ABORTED"
    }
  }

  /// The status that a run stands for.
  init(_ status: RunStatus, _ stop: StopSignal) {
    self =
      switch status {
      case .success: .done
      case .partial: .rowsRefused
      case .failed, .running, .loading: .failed
      case .aborted: ExitStatus(signal: stop.signal ?? 2)
      }
  }

  /// Ends the command with this status; goes on if all is well.
  func end() throws {
    if self != .done { throw CommandEnd(status: self) }
  }

  /// The status of a run that ended by this signal.
  init(signal: Int32) {
    self = signal == 15 ? .terminated : .interrupted
  }
}
