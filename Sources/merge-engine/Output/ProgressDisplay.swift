import Logging
import MergeEngine

/// Shows a running merge: live lines on a terminal, a log line every ten seconds elsewhere.
struct ProgressDisplay {
  /// Where progress goes.
  enum Mode {
    case terminal, log, silent
  }

  private let mode: Mode
  private let logger: Logger
  private let style = Style(isTerminal: StandardError.isTerminal)
  private var liveLineCount = 0
  private var finishedTables: Set<String> = []
  private var lastLogMilliseconds = 0

  /// Arbitrary: seldom enough for a log file, often enough for a person who waits.
  private static let logIntervalMilliseconds = 10_000

  init(_ mode: Mode, logger: Logger) {
    self.mode = mode
    self.logger = logger
  }

  /// Draws the state anew.
  mutating func show(_ progress: RunProgress) {
    switch mode {
    case .silent: break
    case .terminal: redraw(progress)
    case .log: log(progress)
    }
  }

  /// Removes the live lines, after which whole lines may follow.
  mutating func end() {
    guard mode == .terminal else { return }
    StandardError.write(eraseLiveLines())
    liveLineCount = 0
  }

  private mutating func redraw(_ progress: RunProgress) {
    var text = eraseLiveLines()
    for table in progress.tables where table.isFinished && finishedTables.insert(table.table).inserted {
      text += line(table) + "\n"
    }
    let running = progress.tables.filter { $0.elapsedMilliseconds != nil && !$0.isFinished }
    for table in running { text += line(table) + "\n" }
    liveLineCount = running.count
    StandardError.write(text)
  }

  /// Up to the first live line, and everything from there on cleared (ECMA-48: CPL, ED).
  private func eraseLiveLines() -> String {
    liveLineCount > 0 ? "\u{1B}[\(liveLineCount)F\u{1B}[J" : ""
  }

  private mutating func log(_ progress: RunProgress) {
    guard progress.elapsedMilliseconds - lastLogMilliseconds >= Self.logIntervalMilliseconds else { return }
    lastLogMilliseconds = progress.elapsedMilliseconds
    for table in progress.tables where table.elapsedMilliseconds != nil && !table.isFinished {
      logger.info("\(plainLine(table))")
    }
  }

  private func line(_ table: TableProgress) -> String {
    let mark = table.isFinished ? style.paint("✓", .green) : style.paint("•", .yellow)
    return "\(mark) \(plainLine(table))"
  }

  private func plainLine(_ table: TableProgress) -> String {
    let counts = table.counts
    let milliseconds = max(table.elapsedMilliseconds ?? 0, 1)
    let rate = counts.read * 1000 / milliseconds
    var text = "\(table.table): \(Numbers.grouped(counts.read))"
    if let expected = table.expectedRowCount, !table.isFinished { text += " of about \(Numbers.grouped(expected))" }
    text += " rows, \(Numbers.grouped(rate)) rows/s, \(Numbers.grouped(counts.inserted)) inserted, "
    text += "\(Numbers.grouped(counts.updated)) updated, \(Numbers.grouped(counts.unchanged)) unchanged, "
    text += "\(Numbers.grouped(counts.errors)) errors"
    if table.isFinished { return text + ", \(Numbers.duration(milliseconds: milliseconds))" }
    guard let left = millisecondsLeft(table) else { return text }
    return text + ", about \(Numbers.duration(milliseconds: left)) left"
  }

  /// By blocks, whose number is known exactly.
  private func millisecondsLeft(_ table: TableProgress) -> Int? {
    guard let elapsed = table.elapsedMilliseconds, table.blocksDone > 0 else { return nil }
    return elapsed * (table.blockCount - table.blocksDone) / table.blocksDone
  }
}
