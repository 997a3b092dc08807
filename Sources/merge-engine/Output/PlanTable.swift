import MergeEngine

/// A dry run as a person reads it: counts, costs, samples, findings.
struct PlanTable {
  let report: PlanReport

  func rendered(_ style: Style) -> TerminalText {
    var text: TerminalText = ""
    if !report.tables.isEmpty {
      text += counts.rendered(style) + tieNote + "\n" + estimates.rendered(style)
      for table in report.tables { text += samples(table, style) }
      text += "\n"
    }
    return text + style.lines(report.findings) + style.wrapped(headline(style)) + "\n"
  }

  private var counts: TextTable {
    var table = TextTable(
      ["table"],
      numbers: ["read", "insert", "update", "unchanged", "stale", "duplicate", "errors", "ties differing"]
    )
    for entry in report.tables {
      table.add(cells(entry.table, entry.counts, differingTieCount: entry.differingTieCount))
    }
    table.addTotals(
      cells("total", report.totals, differingTieCount: report.tables.reduce(0) { $0 + $1.differingTieCount })
    )
    return table
  }

  private func cells(_ name: String, _ counts: VerdictCounts, differingTieCount: Int) -> [String] {
    [name]
      + [
        counts.read, counts.inserted, counts.updated, counts.unchanged, counts.stale, counts.duplicate, counts.errors,
        differingTieCount,
      ].map(Numbers.grouped)
  }

  private var estimates: TextTable {
    var table = TextTable(
      ["estimate"],
      numbers: ["time", "WAL", "full pages up to", "dead in production", "dead in staging"]
    )
    for entry in report.tables {
      let estimate = entry.estimate
      table.add([
        entry.table, Numbers.duration(milliseconds: estimate.elapsedMilliseconds),
        Numbers.bytes(estimate.walByteCount), Numbers.bytes(estimate.fullPageByteCountAtMost),
        Numbers.grouped(estimate.deadProductionRowCount), Numbers.grouped(estimate.deadStagingRowCount),
      ])
    }
    return table
  }

  /// A line a row, cut to what a screen takes.
  private func samples(_ table: PlanReport.Table, _ style: Style) -> TerminalText {
    guard !table.samples.isEmpty else { return "" }
    let lines = table.samples.map { sample -> TerminalText in
      let key = sample.key.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.shown($0.value))" }
      let changes = sample.columns.filter { sample.key[$0.column] == nil }.map { change in
        "\(change.column) "
          + (sample.verdict == .insert ? "" : "\(Self.shown(change.old)) → ") + Self.shown(change.new)
      }
      let details = [sample.message, changes.isEmpty ? nil : changes.joined(separator: ", ")].compactMap(\.self)
      let text = ([key.joined(separator: ", ")] + details).joined(separator: ": ")
      return ("  \(sample.verdict.rawValue) \(text)" as TerminalText).fitted(to: style.width ?? Self.columnCount) + "\n"
    }
    return "\n" + style.paint("\(table.table), samples (--samples N)", .bold) + "\n" + lines.joined()
  }

  /// One line of at most so many columns where there is no window. Arbitrary: a common width.
  private static let columnCount = 120

  private static func shown(_ value: String?) -> String { value ?? "NULL" }

  /// What the last column of the counts means, where it is not 0.
  private var tieNote: TerminalText {
    guard report.tables.contains(where: { $0.differingTieCount > 0 }) else { return "" }
    return "ties differing: rows as new as production's, with other values; --ties compare updates them.\n"
  }

  private func headline(_ style: Style) -> TerminalText {
    switch report.status {
    case .success, .partial:
      style.paint("DRY RUN", .green)
        + ": nothing was written. \(Numbers.counted(report.totals.read, "staging row")) examined in "
        + "\(Numbers.duration(milliseconds: report.elapsedMilliseconds))."
        + (report.totals.read > 0
          ? "" : " There is nothing to merge: no row of staging is new.")
    case .blocked: style.paint("BLOCKED", .red) + ": the merge can't start. Nothing was written."
    case .aborted: style.paint("ABORTED", .yellow) + ": interrupted; the counts are those so far."
    }
  }
}
