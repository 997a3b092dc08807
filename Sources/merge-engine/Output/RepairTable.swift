import MergeEngine

/// A repair as a person reads it: counts, and the rows that are left alone.
struct RepairTable {
  let report: RepairReport

  func rendered(_ style: Style) -> TerminalText {
    guard !report.tables.isEmpty else {
      return style.paint("SUCCESS", .green) + ": the file lists no differences.\n"
    }
    var table = TextTable(["table"], numbers: ["inserted", "updated", "deleted", "left alone", "not asked for"])
    for entry in report.tables {
      table.add(
        [entry.table]
          + [entry.inserted, entry.updated, entry.deleted, entry.leftAlone, entry.notAskedFor].map(Numbers.grouped)
      )
    }
    table.addTotals(
      ["total"]
        + [report.inserted, report.updated, report.deleted, report.leftAlone, report.notAskedFor].map(Numbers.grouped)
    )
    return table.rendered(style) + report.tables.map { leftRows($0, style) }.joined() + "\n"
      + style.wrapped(headline(style)) + "\n"
  }

  private func leftRows(_ table: RepairReport.Table, _ style: Style) -> TerminalText {
    guard table.leftAlone > 0 else { return "" }
    let reasons = table.reasons.sorted { $0.key < $1.key }.map { "\(Numbers.grouped($0.value)) \($0.key)" }
    var text = "\n" + style.paint("\(table.table), left alone: \(reasons.joined(separator: ", "))", .bold) + "\n"
    for row in table.left {
      let key = row.key.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
      text += "  \(row.kind.rawValue) \(key): \(row.reason)\n"
    }
    if table.left.count < table.leftAlone && !table.left.isEmpty { text += "  … (--samples)\n" }
    return text
  }

  private func headline(_ style: Style) -> TerminalText {
    let run = report.runID.map { "run \($0)" } ?? "the repair"
    if report.isDryRun {
      return style.paint("DRY RUN", .green)
        + ": nothing was written. \(Numbers.counted(report.inserted, "row")) would be inserted, "
        + "\(Numbers.grouped(report.updated)) updated, \(Numbers.grouped(report.deleted)) deleted, "
        + "\(Numbers.grouped(report.leftAlone)) left alone."
        + (report.notAskedFor > 0
          ? " \(Numbers.counted(report.notAskedFor, "difference")) \(report.notAskedFor == 1 ? "is" : "are") of kinds that --kind does not name."
          : "")
    }
    guard report.runID != nil || report.status != .success else {
      return style.paint("SUCCESS", .green) + ": the file lists nothing of the kinds asked for (--kind)."
    }
    return switch report.status {
    case .success:
      style.paint("REPAIRED", .green) + ": \(run); merge-engine rollback \(report.runID ?? 0) undoes it."
    case .aborted: style.paint("ABORTED", .yellow) + ": interrupted; what \(run) had repaired by then is committed."
    case .failed: style.paint("FAILED", .red) + ": what \(run) had repaired by then is committed."
    case .partial, .running, .loading:
      style.paint("REPAIRED IN PART", .yellow)
        + (report.leftAlone > 0 ? ": \(run) left the rows above alone. " : ": triggers changed rows of \(run). ")
        + "merge-engine verify --output compares them again."
    }
  }
}
