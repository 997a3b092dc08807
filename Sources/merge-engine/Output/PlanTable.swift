import MergeEngine

/// A dry run as a person reads it: counts, costs, samples, findings.
struct PlanTable {
  let report: PlanReport

  func rendered(_ style: Style) -> TerminalText {
    var text: TerminalText = ""
    if !report.tables.isEmpty {
      text += counts.rendered(style) + "\n" + estimates.rendered(style)
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

  private func samples(_ table: PlanReport.Table, _ style: Style) -> TerminalText {
    guard !table.samples.isEmpty else { return "" }
    var text = "\n" + style.paint("\(table.table), samples", .bold) + "\n"
    for sample in table.samples {
      let key = sample.key.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.shown($0.value))" as TerminalText }
      text += "  \(sample.verdict.rawValue) \(key.joined(", "))"
      if let message = sample.message { text += ": \(lines: message)" }
      text += "\n"
      for change in sample.columns {
        text += "    \(change.column): "
        if sample.verdict != .insert { text += "\(Self.shown(change.old)) → " }
        text += "\(Self.shown(change.new))\n"
      }
    }
    return text
  }

  private static func shown(_ value: String?) -> String { value ?? "NULL" }

  private func headline(_ style: Style) -> TerminalText {
    switch report.status {
    case .success:
      style.paint("DRY RUN", .green)
        + ": nothing was written. \(Numbers.counted(report.totals.read, "staging row")) examined in "
        + "\(Numbers.duration(milliseconds: report.elapsedMilliseconds))."
    case .blocked: style.paint("BLOCKED", .red) + ": the merge can't start. Nothing was written."
    case .aborted: style.paint("ABORTED", .yellow) + ": interrupted; the counts are those so far."
    }
  }
}
