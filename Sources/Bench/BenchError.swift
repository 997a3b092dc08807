/// What keeps a bench from going on.
package enum BenchError: Error, CustomStringConvertible {
  /// The engine's own run failed.
  case mergeFailed(String)
  /// No contender has this text in its name; with the names there are.
  case noContender(String, [String])
  /// The line for a client that is far away can't be made; why.
  case noProxy(String)
  /// Somebody asked to stop.
  case interrupted

  /// For people.
  package var description: String {
    switch self {
    case .mergeFailed(let reasons): "the engine failed on a workload of bench: \(reasons)"
    case .noContender(let text, let names):
      "no contender has \(text) in its name. There are: \(names.joined(separator: "; "))."
    case .noProxy(let reason): "the delaying proxy can't be started: \(reason)"
    case .interrupted: "interrupted; the scratch databases are dropped"
    }
  }
}
