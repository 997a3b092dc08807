import Foundation
import MergeEngine

/// The result of a merge as a person reads it.
struct RunTable {
  let report: RunReport
  /// The database, for whoever reads this in a log.
  var database: String?
  /// Rows came from a snapshot and not from staging.
  var isReplay = false
  /// All of it was one transaction.
  var isAtomic = false
  /// Only versions within a window were merged.
  var hasWindow = false

  func rendered(_ style: Style) -> TerminalText {
    var table = TextTable(
      ["table"],
      numbers: ["read", "inserted", "updated", "unchanged", "stale", "duplicate", "errors", "rows/s", "time"]
    )
    table.omittable = ["duplicate", "stale", "unchanged", "updated", "inserted"]
    for entry in report.tables {
      table.add(cells(entry.table, entry.counts, milliseconds: entry.elapsedMilliseconds))
    }
    table.addTotals(cells("total", report.totals, milliseconds: report.elapsedMilliseconds))
    return table.rendered(style) + coldNotes(style) + "\n" + style.wrapped(facts + headline(style)) + "\n"
  }

  /// Which tables were larger than the server's memory.
  private func coldNotes(_ style: Style) -> TerminalText {
    report.tables.compactMap { table in table.coldNote.map { "\(table.table): \($0)" as TerminalText } }
      .map { style.wrapped($0) + "\n" }.joined()
  }

  /// When and where, since a log of many nights is read later by somebody else.
  private var facts: TerminalText {
    guard let database else { return "" }
    let format = Date.ISO8601FormatStyle(dateTimeSeparator: .space, timeZone: .gmt)
      .year().month().day().time(includingFractionalSeconds: false)
    return """
      \(database), \(report.startedAt.formatted(format)) to \(report.finishedAt.formatted(format)) UTC

      """
  }

  private func cells(_ name: String, _ counts: VerdictCounts, milliseconds: Int) -> [String] {
    let rate = counts.read > 0 ? Numbers.rate(counts.read, milliseconds: milliseconds).map(Numbers.grouped) : nil
    let numbers = [
      counts.read, counts.inserted, counts.updated, counts.unchanged, counts.stale, counts.duplicate, counts.errors,
    ]
    return [name] + numbers.map(Numbers.grouped) + [rate ?? "-", Numbers.duration(milliseconds: milliseconds)]
  }

  private func headline(_ style: Style) -> TerminalText {
    let totals = report.totals
    let run = "run \(report.runID)"
    let races: TerminalText =
      totals.lostRaces > 0
      ? " \(Numbers.grouped(totals.lostRaces)) of the stale rows \(totals.lostRaces == 1 ? "was" : "were") sent to the "
        + "server and \(totals.lostRaces == 1 ? "is" : "are") not there as sent: production had a newer row by then, or a trigger swallowed "
        + "or changed \(totals.lostRaces == 1 ? "it" : "them")."
      : ""
    switch report.status {
    case .success where totals.read == 0 && !isReplay:
      return style.paint("SUCCESS", .green)
        + ": \(run) found nothing to merge: no row of staging\(hasWindow ? " within the window" : "") is new."
    case .success:
      return style.paint("SUCCESS", .green)
        + ": \(run) merged \(Numbers.counted(totals.read, isReplay ? "row" : "staging row")); none is left\(hasWindow ? " within the window" : "").\(races)"
    case .partial:
      return style.paint("PARTIAL", .yellow) + ": \(run). \(refusals) All others are merged.\(races)"
    case .aborted:
      return style.paint("ABORTED", .yellow)
        + ": \(run) was interrupted. \(committed) The same command \(isAtomic ? "starts again." : "continues from there.")"
    case .failed, .running, .loading:
      return style.paint("FAILED", .red)
        + ": \(run). \(committed) Fix the cause and run the same command again."
    }
  }

  private var committed: String {
    let left =
      report.pending > 0
      ? " \(Numbers.counted(report.pending, "row")) of staging \(report.pending == 1 ? "is" : "are") left." : ""
    let what =
      !isAtomic
      ? "Its finished batches are committed."
      : report.totals.read == 0
        ? "Nothing was merged: --atomic has rolled back everything."
        : "Its one transaction is committed, with the rows above; what came behind it is not."
    return what + left
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
    "\(Numbers.counted(count, "row")) \(count == 1 ? singular : plural) \(rest)."
  }
}
