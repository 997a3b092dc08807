import Foundation

/// How a child process has ended.
///
/// The kernel is asked. Foundation only sees an end when everybody is gone who has inherited a line to it: what the child left in
/// the background, as an agent that was started for a password, and other children that were started at the same moment.
package enum ProcessEnd: Equatable, Sendable {
  /// By itself, with a status.
  case exited(Int32)
  /// By a signal.
  case killed(signal: Int32)

  /// As a shell says it: 128 and the signal where one ended it.
  package var status: Int32 {
    switch self {
    case .exited(let status): status
    case .killed(let signal): 128 + signal
    }
  }
}

extension Process {
  /// nil while it runs.
  package var end: ProcessEnd? {
    var state = unsafe siginfo_t()
    // Foundation waits for it too, so it is left to be found there.
    if unsafe waitid(P_PID, id_t(processIdentifier), &state, WEXITED | WNOHANG | WNOWAIT) == 0 {
      let child = unsafe state._sifields._sigchld
      guard child.si_pid != 0 else { return nil }
      return unsafe state.si_code == CLD_EXITED ? .exited(child.si_status) : .killed(signal: child.si_status)
    }
    // Foundation has found it, and may be about to say so.
    guard !isRunning else { return nil }
    return terminationReason == .exit ? .exited(terminationStatus) : .killed(signal: terminationStatus)
  }

  /// Blocks until it has ended.
  ///
  /// - Parameter seconds: how long it is waited for at most; nil for as long as it takes.
  /// - Returns: nil if it runs for longer.
  package func waitForEnd(within seconds: Double?) -> ProcessEnd? {
    let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
    while true {
      if let end { return end }
      if let deadline, .now >= deadline { return nil }
      Thread.sleep(forTimeInterval: 0.01)
    }
  }
}
