import Foundation
import Logging
import MergeEngine
import Reload
import Synchronization

/// Shows a running reload on stderr: a live line on a terminal, log lines elsewhere.
final class ReloadDisplay: Sendable {
  private struct State {
    var hasLiveLine = false
    var lastLog: ContinuousClock.Instant?
    var lastStatus = ""
  }

  private let state = Mutex(State())
  private let logger: Logger
  private let isQuiet: Bool
  private let isTerminal = StandardError.isTerminal
  private let style = Style(isTerminal: StandardError.isTerminal)

  /// Arbitrary: seldom enough for a log file, often enough for a person who waits.
  private static let logInterval = Duration.seconds(60)

  init(_ context: CommandContext) {
    logger = context.logger
    isQuiet = context.isQuiet
  }

  /// Shows an event.
  func show(_ event: ReloadEvent) {
    if case .warning(let text) = event { return logger.warning("\(text)") }
    guard !isQuiet else { return }
    state.withLock { state in
      switch event {
      case .began(let phase):
        // A merge draws its own lines.
        if isTerminal && phase != .merge { draw("\(style.paint("•", .yellow)) \(phase.rawValue) …", &state) }
      case .loading(let progress): show(progress, &state)
      case .ended(let result):
        let time = Numbers.duration(milliseconds: result.elapsedMilliseconds)
        let text = "\(result.phase.rawValue): \(result.result), \(time)"
        if isTerminal { erase(&state) }
        StandardError.write("\(style.paint("✓", .green)) \(text)\n")
      case .warning: break
      }
    }
  }

  private func show(_ progress: LoadProgress, _ state: inout State) {
    let text = """
      load: \(progress.status), \(progress.percent.map { "\($0) %" } ?? "-"), \(progress.tablesLoaded) of \
      \(progress.tableCount) tables, \(Numbers.grouped(progress.rows)) rows, \
      \(Numbers.grouped(progress.rowsPerSecond)) rows/s, \(Numbers.duration(milliseconds: progress.elapsedMilliseconds))
      """
    if isTerminal { return draw("\(style.paint("•", .yellow)) \(text)", &state) }
    let isDue = state.lastLog.map { .now - $0 >= Self.logInterval } ?? true
    guard isDue || progress.status != state.lastStatus else { return }
    state.lastLog = .now
    state.lastStatus = progress.status
    logger.info("\(text)")
  }

  /// The cursor stays on the live line, which the next one overwrites (ECMA-48: EL).
  private func draw(_ line: String, _ state: inout State) {
    erase(&state)
    StandardError.write(line)
    state.hasLiveLine = true
  }

  private func erase(_ state: inout State) {
    if state.hasLiveLine { StandardError.write("\r\u{1B}[K") }
    state.hasLiveLine = false
  }
}
