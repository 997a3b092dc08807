import MergeEngine

/// The result of a merge as a person reads it.
struct RunTable {
  let report: RunReport
  /// Rows came from a snapshot and not from staging.
  var isReplay = false

  func rendered(_ style: Style) -> String {
    var table = TextTable(
      ["table"],
      numbers: ["read", "inserted", "updated", "unchanged", "stale", "duplicate", "errors", "rows/s", "time"]
    )
    for entry in report.tables {
      table.add(cells(entry.table, entry.counts, milliseconds: entry.elapsedMilliseconds))
    }
    table.addTotals(cells("total", report.totals, milliseconds: report.elapsedMilliseconds))
    return table.rendered(style) + "\n" + headline(style) + "\n"
  }

  private func cells(_ name: String, _ counts: VerdictCounts, milliseconds: Int) -> [String] {
    let rate = milliseconds > 0 ? Numbers.grouped(counts.read * 1000 / milliseconds) : "-"
    let numbers = [
      counts.read, counts.inserted, counts.updated, counts.unchanged, counts.stale, counts.duplicate, counts.errors,
    ]
    return [name] + numbers.map(Numbers.grouped) + [rate, Numbers.duration(milliseconds: milliseconds)]
  }

  private func headline(_ style: Style) -> String {
    let totals = report.totals
    let run = "run \(report.runID)"
    let races =
      totals.lostRaces > 0
      ? " \(Numbers.grouped(totals.lostRaces)) of the stale rows were overtaken by CDC during the merge." : ""
    switch report.status {
    case .success:
      return style.paint("SUCCESS", .green)
        + ": \(run), \(Numbers.grouped(totals.read)) \(isReplay ? "" : "staging ")\(totals.read == 1 ? "row" : "rows") merged, "
        + "none left."
        + races
    case .partial:
      return style.paint("PARTIAL", .yellow) + ": \(run). " + refusals + " All others are merged.\(races)"
    case .aborted:
      return style.paint("ABORTED", .yellow)
        + ": \(run) was interrupted. The batches before are committed; the same command goes on from there."
    case .failed, .running, .loading:
      return style.paint("FAILED", .red)
        + ": \(run). The batches before are committed; mend the cause and run the same command again."
    }
  }

  private var refusals: String {
    var sentences: [String] = []
    if report.totals.errors > 0 {
      sentences.append(
        Self.sentence(report.totals.errors, "was", "were", "refused by the server")
          + (isReplay
            ? " The next replay of the snapshot tries \(report.totals.errors == 1 ? "it" : "them") again." : "")
      )
    }
    if report.standingErrors > 0 {
      sentences.append(Self.sentence(report.standingErrors, "stands", "stand", "refused by earlier runs"))
    }
    return sentences.joined(separator: " ") + " merge-engine errors list shows why."
  }

  private static func sentence(_ count: Int, _ singular: String, _ plural: String, _ rest: String) -> String {
    "\(Numbers.grouped(count)) \(count == 1 ? "row \(singular)" : "rows \(plural)") \(rest)."
  }
}
