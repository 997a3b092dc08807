import MergeEngine

/// Shows running work on tables: live lines on a terminal, a log line every ten seconds elsewhere.
struct ProgressDisplay {
  /// Where progress goes.
  enum Mode {
    case terminal, log, silent
  }

  /// What happens to the rows that are counted.
  enum Subject {
    case merging
    /// Nothing is written.
    case planning
    /// There are no verdicts.
    case comparing
  }

  private let mode: Mode
  private let context: CommandContext
  private let subject: Subject
  private var finishedTables: Set<String> = []
  private var hasNamedRun = false
  private var lastLogMilliseconds = 0

  /// Arbitrary: seldom enough for a log file, often enough for a person who waits.
  private static let logIntervalMilliseconds = 10_000

  init(_ context: CommandContext, _ subject: Subject = .merging) {
    self.subject = subject
    mode = context.isQuiet ? .silent : StandardError.terminal == nil ? .log : .terminal
    self.context = context
  }

  /// Draws the state anew.
  mutating func show(_ progress: RunProgress) {
    switch mode {
    case .silent: break
    case .terminal: redraw(progress)
    case .log: log(progress)
    }
  }

  private mutating func redraw(_ progress: RunProgress) {
    if let runID = progress.runID, !hasNamedRun {
      // What `control` wants to know, and where it writes to.
      let line: TerminalText = "run \(runID): \(context.target.description)"
      StandardError.write(line.fitted(to: Style(terminal: StandardError.terminal).width) + "\n")
      hasNamedRun = true
    }
    for table in progress.tables where table.isFinished && finishedTables.insert(table.table).inserted {
      let style = Style(terminal: StandardError.terminal)
      StandardError.write(marked(table, style).fitted(to: style.width) + "\n")
    }
    let running = progress.tables.filter { $0.elapsedMilliseconds != nil && !$0.isFinished }
    guard !running.isEmpty else {
      // Nothing begun yet: what is said of the preparation stays. All done: the run's end has to be written.
      if progress.tables.contains(where: \.isFinished) { Waiting.show("finishing", context) }
      return
    }
    LiveArea.shared.show { [self] style in running.map { marked($0, style, pause: progress.pauseReason) } }
  }

  private mutating func log(_ progress: RunProgress) {
    guard progress.elapsedMilliseconds - lastLogMilliseconds >= Self.logIntervalMilliseconds else { return }
    lastLogMilliseconds = progress.elapsedMilliseconds
    for table in progress.tables where table.elapsedMilliseconds != nil && !table.isFinished {
      context.logger.info(
        "\(line(table, columns: nil, pause: progress.pauseReason).string)",
        metadata: progress.runID.map { ["run": "\($0)"] }
      )
    }
  }

  private func marked(_ table: TableProgress, _ style: Style, pause: String? = nil) -> TerminalText {
    let mark = table.isFinished ? style.paint("✓", .green) : style.paint("•", .yellow)
    return "\(mark) \(line(table, columns: style.width.map { $0 - 2 }, pause: pause))"
  }

  private func line(_ table: TableProgress, columns: Int?, pause: String? = nil) -> TerminalText {
    let counts = table.counts
    let milliseconds = max(table.elapsedMilliseconds ?? 0, 1)
    let rate = Numbers.rate(counts.read, milliseconds: milliseconds) ?? 0
    var line = FittedLine()
    line.add("\(table.table): \(Self.read(table))", importance: 9)
    if let pause {
      line.add("paused (\(pause))", importance: 7)
    } else {
      line.add("\(Numbers.grouped(rate)) rows/s", importance: 5)
    }
    if subject != .comparing {
      let (inserted, updated) = subject == .planning ? ("to insert", "to update") : ("inserted", "updated")
      line.add("\(Numbers.grouped(counts.inserted)) \(inserted)", importance: counts.inserted > 0 ? 4 : 1)
      line.add("\(Numbers.grouped(counts.updated)) \(updated)", importance: counts.updated > 0 ? 4 : 1)
      line.add("\(Numbers.grouped(counts.unchanged)) unchanged", importance: counts.unchanged > 0 ? 2 : 0)
      line.add("\(Numbers.counted(counts.errors, "error"))", importance: counts.errors > 0 ? 8 : 1)
    }
    if table.isFinished {
      line.add("\(Numbers.duration(milliseconds: milliseconds))", importance: 6)
    } else if pause == nil, let left = Self.millisecondsLeft(table) {
      line.add("about \(Numbers.duration(milliseconds: left)) left", importance: 6)
    }
    return line.rendered(to: columns)
  }

  private static func read(_ table: TableProgress) -> String {
    // An estimate that was exceeded says nothing any more.
    guard let expected = table.expectedRowCount, !table.isFinished, table.counts.read <= expected else {
      return Numbers.counted(table.counts.read, "row")
    }
    return "\(Numbers.grouped(table.counts.read)) of about \(Numbers.counted(expected, "row"))"
  }

  /// By blocks, whose number is known exactly.
  private static func millisecondsLeft(_ table: TableProgress) -> Int? {
    guard let elapsed = table.elapsedMilliseconds, table.blocksDone > 0 else { return nil }
    return elapsed * (table.blockCount - table.blocksDone) / table.blocksDone
  }
}
