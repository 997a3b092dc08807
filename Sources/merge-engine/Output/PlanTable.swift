import MergeEngine

/// A dry run as a person reads it: counts, costs, samples, findings.
struct PlanTable {
  let report: PlanReport

  func rendered(_ style: Style) -> String {
    var text = ""
    if !report.tables.isEmpty {
      text += counts.rendered(style) + tieNote + "\n" + estimates.rendered(style)
      for table in report.tables { text += samples(table, style) }
      text += "\n"
    }
    return text + style.lines(report.findings) + headline(style) + "\n"
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
  private func samples(_ table: PlanReport.Table, _ style: Style) -> String {
    guard !table.samples.isEmpty else { return "" }
    let lines = table.samples.map { sample in
      let key = sample.key.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.shown($0.value))" }
      let changes = sample.columns.filter { sample.key[$0.column] == nil }.map { change in
        "\(change.column) "
          + (sample.verdict == .insert ? "" : "\(Self.shown(change.old)) → ") + Self.shown(change.new)
      }
      let details = [sample.message, changes.isEmpty ? nil : changes.joined(separator: ", ")].compactMap(\.self)
      let text = ([key.joined(separator: ", ")] + details).joined(separator: ": ")
      return "  \(sample.verdict.rawValue) \(Self.cut(text))\n"
    }
    return "\n" + style.paint("\(table.table), samples (--samples N)", .bold) + "\n" + lines.joined()
  }

  /// One line of at most so many characters. Arbitrary: a common width of a terminal, but for the verdict.
  private static let lineCharacterCount = 100

  private static func cut(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > lineCharacterCount ? line.prefix(lineCharacterCount) + "…" : line
  }

  private static func shown(_ value: String?) -> String { value ?? "NULL" }

  /// What the last column of the counts means, where it is not 0.
  private var tieNote: String {
    guard report.tables.contains(where: { $0.differingTieCount > 0 }) else { return "" }
    return "ties differing: rows as new as production's that hold something else; --ties compare updates them.\n"
  }

  private func headline(_ style: Style) -> String {
    switch report.status {
    case .success:
      style.paint("DRY RUN", .green)
        + ": nothing was written. \(Numbers.grouped(report.totals.read)) staging rows looked "
        + "at in \(Numbers.duration(milliseconds: report.elapsedMilliseconds))."
    case .blocked: style.paint("BLOCKED", .red) + ": the merge can't begin. Nothing was written."
    case .aborted: style.paint("ABORTED", .yellow) + ": interrupted; the counts are those up to then."
    }
  }
}
