import Foundation
import MergeEngine

/// A rollback as a person reads it: counts, and the rows that are left alone.
struct RollbackOutput {
  let report: RollbackReport

  func rendered(_ style: Style) -> TerminalText {
    var table = TextTable(["table"], numbers: ["restored", "deleted", "left alone"])
    for entry in report.tables {
      table.add([entry.table] + [entry.restored, entry.deleted, entry.leftAlone].map(Numbers.grouped))
    }
    table.addTotals(["total"] + [report.restored, report.deleted, report.leftAlone].map(Numbers.grouped))
    return table.rendered(style) + report.tables.map { leftRows($0, style) }.joined() + "\n"
      + style.wrapped(headline(style)) + "\n"
  }

  private func leftRows(_ table: RollbackReport.Table, _ style: Style) -> TerminalText {
    guard table.leftAlone > 0 else { return "" }
    let reasons = table.reasons.sorted { $0.key < $1.key }
      .map { "\(Numbers.grouped($0.value)) \($0.key)" }
    var text = "\n" + style.paint("\(table.table), left alone: \(reasons.joined(separator: ", "))", .bold) + "\n"
    for row in table.left { text += "  \(Self.shown(key: row.key)): \(row.reason)\n" }
    if table.left.count < table.leftAlone && !table.left.isEmpty { text += "  … (--samples)\n" }
    return text
  }

  /// `line 2, order_id 7` of a key as JSON.
  private static func shown(key: String) -> String {
    guard let key = try? JSONSerialization.jsonObject(with: Data(key.utf8)) as? [String: Any] else { return key }
    return key.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }

  private func headline(_ style: Style) -> TerminalText {
    let run = "run \(report.runID)"
    let remainder: TerminalText = report.remainder.map { " \($0)" } ?? ""
    if report.isDryRun {
      return style.paint("DRY RUN", .green)
        + ": nothing was written. \(Numbers.counted(report.restored, "row")) of \(run) would be restored, "
        + "\(Numbers.grouped(report.deleted)) deleted, \(Numbers.grouped(report.leftAlone)) left alone.\(remainder)"
    }
    let place: TerminalText = report.isOfPart ? " in \(report.tables.map(\.table).joined(separator: ", "))" : ""
    let released = report.tables.reduce(0) { $0 + $1.released }
    let next: TerminalText =
      released > 0
      ? " \(Numbers.counted(released, "staging row")) \(released == 1 ? "counts" : "count") as unmerged again: the next merge applies "
        + "\(released == 1 ? "it" : "them") again, unless staging is emptied or reloaded first." : ""
    return switch report.status {
    case .success:
      style.paint("ROLLED BACK", .green)
        + ": nothing \(report.remainder == nil ? "of \(run)" : "that \(run) itself wrote") is left\(place).\(remainder)\(next)"
    case .aborted:
      style.paint("ABORTED", .yellow) + ": interrupted; what was undone of \(run) is committed. Run it again."
    case .failed: style.paint("FAILED", .red) + ": what was undone of \(run) is committed. Run it again."
    case .partial, .running, .loading:
      style.paint("ROLLED BACK IN PART", .yellow) + ": see the rows above. Run it again once nothing "
        + "stands in their way.\(remainder)"
    }
  }
}
