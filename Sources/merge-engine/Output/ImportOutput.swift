import Foundation
import MergeEngine

/// What was made of CSV files, as JSON or as a person reads it.
struct ImportOutput {
  let report: SnapshotImportReport
  let directory: URL

  func write(asJSON: Bool, isQuiet: Bool) throws {
    if asJSON { return try StandardOutput.write(json: report) }
    guard !isQuiet else { return }
    StandardOutput.write(rendered(StandardOutput.style))
  }

  private func rendered(_ style: Style) -> TerminalText {
    var table = TextTable(
      ["table"],
      numbers: ["files", "rows", "in the snapshot", "deleted later", "deletes", "bad"]
    )
    for entry in report.tables {
      let numbers = [entry.files, entry.rows, entry.snapshotRows, entry.laterDeleted, entry.deletes, entry.rejected]
      table.add([entry.table] + numbers.map(Numbers.grouped))
    }
    var text = table.rendered(style) + "\n"
    for row in report.rejected.prefix(Self.shownCount) { text += "bad: \(row.place): \(lines: row.reason)\n" }
    if let path = report.rejectedPath {
      let count = Numbers.counted(report.rejected.count, "bad row")
      text += "\(count) left out, listed in \(path)\n"
    }
    for entry in report.tables where entry.deletes > 0 { text += style.wrapped(deletes(entry)) + "\n" }
    if let path = report.deletesPath {
      text += "merge-engine repair \(path) --kind extra --plan shows what deleting them would do.\n"
    }
    let rows = report.manifest.tables.reduce(0) { $0 + $1.rowCount }
    return text + style.paint("imported", .green) + ": \(Numbers.counted(rows, "row")) in \(directory.path)\n"
  }

  private static let shownCount = 20

  private func deletes(_ table: SnapshotImportReport.Table) -> TerminalText {
    let parts = [
      (table.deletesInProduction, "still in production"), (table.deletesGone, "gone from production already"),
      (table.deletesNewerInProduction, "now newer in production, and left alone"),
    ].filter { $0.0 > 0 }.map { "\(Numbers.grouped($0.0)) \($0.1)" }
    var text: TerminalText =
      "deletes of \(table.table): \(parts.isEmpty ? "all came again" : parts.joined(separator: ", "))."
    if table.deletesWithoutVersion > 0 {
      text +=
        " \(Numbers.grouped(table.deletesWithoutVersion)) of them without a version: production's row may be newer, so check them."
    }
    return text
  }
}
