/// What a run that is going on can be asked to do from another terminal.
package enum ControlRequest: Sendable, Hashable, CustomStringConvertible {
  /// Begin no batch until ``resume``; connections and the tables' locks are kept, and no row is locked.
  case pause
  /// Go on.
  case resume
  /// Begin with no more rows than this in a second; 0 for no limit.
  case maxRowsPerSecond(Int)
  /// Carry so many batches side by side.
  case workers(Int)
  /// End as Ctrl-C does: what is under way is rolled back.
  case stop

  var action: String {
    switch self {
    case .pause: "pause"
    case .resume: "resume"
    case .maxRowsPerSecond: "max-rows-per-second"
    case .workers: "workers"
    case .stop: "stop"
    }
  }

  var value: Int? {
    switch self {
    case .maxRowsPerSecond(let value), .workers(let value): value
    case .pause, .resume, .stop: nil
    }
  }

  init?(action: String, value: Int?) {
    switch (action, value) {
    case ("pause", _): self = .pause
    case ("resume", _): self = .resume
    case ("max-rows-per-second", let value?) where value >= 0: self = .maxRowsPerSecond(value)
    case ("workers", let value?) where value > 0: self = .workers(value)
    case ("stop", _): self = .stop
    default: return nil
    }
  }

  /// What it is, after "to".
  package var description: String {
    switch self {
    case .pause: "pause"
    case .resume: "continue"
    case .maxRowsPerSecond(0): "run at full speed"
    case .maxRowsPerSecond(let rows): "process at most \(rows.rows) per second"
    case .workers(let count): "use \(Numbers.counted(count, "worker"))"
    case .stop: "stop"
    }
  }
}
