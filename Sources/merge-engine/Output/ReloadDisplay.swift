import MergeEngine
import Reload
import Synchronization

/// Shows a running reload on stderr: a live line on a terminal, log lines elsewhere.
final class ReloadDisplay: Sendable {
  private struct State {
    var lastLog: ContinuousClock.Instant?
    var lastStatus = ""
  }

  private let state = Mutex(State())
  private let context: CommandContext

  /// Arbitrary: seldom enough for a log file, often enough for a person who waits.
  private static let logInterval = Duration.seconds(60)

  init(_ context: CommandContext) {
    self.context = context
  }

  /// Shows an event.
  func show(_ event: ReloadEvent) {
    if case .warning(let text) = event { return context.logger.warning("\(text)") }
    guard !context.isQuiet else { return }
    switch event {
    case .began(let phase): Waiting.show(phase.rawValue, context)
    case .loading(let progress): show(progress)
    case .ended(let result):
      LiveArea.shared.end()
      let mark = Style(terminal: StandardError.terminal).paint("✓", .green)
      let time = Numbers.duration(milliseconds: result.elapsedMilliseconds)
      StandardError.write("\(mark) \(result.phase.rawValue): \(result.result), \(time)\n")
    case .warning: break
    }
  }

  private func show(_ progress: LoadProgress) {
    let seen = ContinuousClock.now
    guard StandardError.terminal == nil else {
      return LiveArea.shared.show { style in
        let since = (ContinuousClock.now - seen).milliseconds
        let line = Self.line(progress, milliseconds: progress.elapsedMilliseconds + since)
        return ["\(style.paint("•", .yellow)) \(line.rendered(to: style.width.map { $0 - 2 }))"]
      }
    }
    let isDue = state.withLock { state in
      let isDue = state.lastLog.map { seen - $0 >= Self.logInterval } ?? true
      guard isDue || progress.status != state.lastStatus else { return false }
      state.lastLog = seen
      state.lastStatus = progress.status
      return true
    }
    guard isDue else { return }
    let line = Self.line(progress, milliseconds: progress.elapsedMilliseconds).rendered(to: nil)
    context.logger.info("\(line.string)")
  }

  private static func line(_ progress: LoadProgress, milliseconds: Int) -> FittedLine {
    var line = FittedLine()
    line.add("load: \(progress.status)", importance: 9)
    line.add("\(progress.percent.map { "\($0) %" } ?? "-")", importance: 6)
    line.add("\(progress.tablesLoaded) of \(Numbers.counted(progress.tableCount, "table"))", importance: 5)
    line.add("\(Numbers.counted(progress.rows, "row"))", importance: 4)
    line.add("\(Numbers.grouped(progress.rowsPerSecond)) rows/s", importance: 3)
    line.add("\(Numbers.duration(milliseconds: milliseconds))", importance: 8)
    return line
  }
}
