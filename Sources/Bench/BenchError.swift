/// What keeps a bench from going on.
public enum BenchError: Error, CustomStringConvertible {
  /// The engine's own run failed.
  case mergeFailed(String)
  /// Somebody asked to stop.
  case interrupted

  /// For people.
  public var description: String {
    switch self {
    case .mergeFailed(let reasons): "the engine failed on a workload of bench: \(reasons)"
    case .interrupted: "interrupted; the scratch databases are dropped"
    }
  }
}
