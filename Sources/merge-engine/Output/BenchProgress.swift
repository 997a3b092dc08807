import Bench
import Libpq
import MergeEngine

/// A line on stderr for everything that a bench has measured, as it comes: a bench takes long.
struct BenchProgress: Sendable {
  let isQuiet: Bool

  func begin(_ target: ConnectionTarget) {
    say("Measuring on \(target), in scratch databases.")
  }

  func show(_ progress: Bench.Progress) {
    switch progress {
    case .loading(let workload): say("\(workload.rawValue): loading")
    case .measured(let workload, let contender, let repetition, let measurement):
      let seconds = Numbers.decimal(measurement.elapsedSeconds, places: 2)
      say(
        "\(workload.rawValue), \(contender.name), run \(repetition): \(seconds) s"
          + (measurement.isRight ? "" : ", WRONG RESULT")
      )
    }
  }

  private func say(_ line: TerminalText) {
    if !isQuiet { StandardError.write("\(line)\n") }
  }
}
