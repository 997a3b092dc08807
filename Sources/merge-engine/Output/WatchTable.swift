import MergeEngine

/// A moment of a watch as a person reads it: the run, staging, the workers.
struct WatchTable {
  let status: LiveStatus

  func rendered(_ style: Style) -> TerminalText {
    var text = headline(style) + "\n\n"
    if status.tables.isEmpty {
      text += "There are no staging tables. merge-engine init creates them.\n"
    } else {
      text += tables(style).rendered(style)
      if status.tables.contains(where: \.isEstimate) {
        text += style.paint("~ the server's estimate: counting takes too long", .faint) + "\n"
      }
    }
    if !status.workers.isEmpty { return text + "\n" + workers.rendered(style) }
    guard status.isRunning else { return text }
    let note: TerminalText =
      "No worker is connected: the run is starting, ending or reconnecting, or it has died (merge-engine status)."
    return text + "\n" + style.wrapped(note) + "\n"
  }

  private func headline(_ style: Style) -> TerminalText {
    let time = Self.clock(status.at)
    guard let run = status.lastRun else { return "\(time) UTC  Nothing has been merged yet." }
    let colour: Style.Colour =
      switch run.status {
      case "SUCCESS": .green
      case "FAILED": .red
      default: .yellow
      }
    let pause: TerminalText = run.pausedBecause.map { " \(style.paint("PAUSED", .yellow)) (\($0))" } ?? ""
    let since = "began \(Self.clock(run.startedAt ?? ""))"
    let span = run.finishedAt.map { "\(Self.clock(run.startedAt ?? "")) to \(Self.clock($0))" } ?? since
    let line: TerminalText =
      "\(time) UTC  run \(run.runID) \(style.paint("\(run.status)", colour))\(pause), \(span), \(Numbers.grouped(run.read)) read, "
      + "\(Numbers.grouped(run.inserted)) inserted, \(Numbers.grouped(run.updated)) updated, "
      + "\(Numbers.counted(run.errors, "error"))"
    return style.wrapped(line)
  }

  private var isPaused: Bool { status.lastRun?.pausedBecause != nil }

  /// What a narrow window has first is what somebody watches for.
  private func tables(_ style: Style) -> TextTable {
    let barWidth = style.width.map { min(max($0 - 80, 0), Self.widestBar) } ?? Self.widestBar
    var table = TextTable(
      ["staging table"] + (barWidth > 0 ? [""] : []),
      numbers: ["done", "rows/s", "left", "pending", "errors", "processed", "total"]
    )
    for entry in status.tables {
      let rows = entry.status
      let share = rows.total > 0 ? Double(entry.done) / Double(rows.total) : 1
      let about = entry.isEstimate ? "~" : ""
      table.add(
        [rows.table] + (barWidth > 0 ? [Self.bar(share, barWidth)] : [])
          + [
            "\(Int(share * 100)) %", isPaused ? "-" : entry.rowsPerSecond.map { Numbers.grouped(Int($0)) } ?? "-",
            isPaused ? "-" : entry.secondsLeft.map { Numbers.duration(milliseconds: Int($0 * 1000)) } ?? "-",
            about + Numbers.grouped(rows.pending), Numbers.grouped(rows.errors),
            about + Numbers.grouped(rows.processed), about + Numbers.grouped(rows.total),
          ]
      )
    }
    return table
  }

  private var workers: TextTable {
    var table = TextTable([
      .text("worker"), .number("pid"), .text("table"), .text("doing"), .number("rows"), .number("batch for"),
      .text("waits for"),
    ])
    for worker in status.workers {
      let blockers = worker.blockedBy.isEmpty ? "" : " of \(worker.blockedBy.map(String.init).joined(separator: ", "))"
      table.add([
        "\(worker.runID)/\(worker.worker)", "\(worker.processID)", worker.table ?? "-", worker.activity ?? "?",
        worker.copiedRowCount.map(Numbers.grouped) ?? "-",
        worker.batchSeconds.map { Numbers.duration(milliseconds: Int(max($0, 0) * 1000)) } ?? "-",
        (worker.waitsFor ?? "") + blockers,
      ])
    }
    return table
  }

  private static let widestBar = 20

  /// Full only when all is done.
  private static func bar(_ share: Double, _ width: Int) -> String {
    let filled = min(max(Int(share * Double(width)), 0), width)
    return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
  }

  /// `10:11:12` of `2026-01-31T10:11:12.345Z`.
  private static func clock(_ time: String) -> String { String(time.dropFirst(11).prefix(8)) }
}
