/// What keeps a bench from going on.
public enum BenchError: Error, CustomStringConvertible {
  /// The engine's own run failed.
  case mergeFailed(String)
  /// No contender has this text in its name; with the names there are.
  case noContender(String, [String])
  /// Somebody asked to stop.
  case interrupted

  /// For people.
  public var description: String {
    switch self {
    case .mergeFailed(let reasons): "the engine failed on a workload of bench: \(reasons)"
    case .noContender(let text, let names):
      "no contender has \(text) in its name. There are: \(names.joined(separator: "; "))."
    case .interrupted: "interrupted; the scratch databases are dropped"
    }
  }
}
