import ArgumentParser
import MergeEngine

/// How many workers are wanted: a number, or as many as pay.
enum WorkerChoice: ExpressibleByArgument {
  case auto
  case fixed(Int)

  static let autoWord = "auto"

  init?(argument: String) {
    if argument == Self.autoWord {
      self = .auto
    } else if let count = Int(argument) {
      self = .fixed(count)
    } else {
      return nil
    }
  }

  /// nil for as many as pay.
  var count: Int? { if case .fixed(let count) = self { count } else { nil } }
}

extension ConfigurationValue {
  func workerChoice() throws -> WorkerChoice {
    if node.scalar?.string == WorkerChoice.autoWord { return .auto }
    guard node.int != nil else { throw expected("a whole number, or \(WorkerChoice.autoWord)") }
    return .fixed(try integer(in: MergeLimits.workers))
  }
}
