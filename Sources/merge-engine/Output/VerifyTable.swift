import MergeEngine

/// A verification as a person reads it: types, rows, columns and keys that differ.
struct VerifyTable {
  let report: VerifyReport

  func rendered(_ style: Style) -> TerminalText {
    var text = types(style)
    if !report.tables.isEmpty { text += counts.rendered(style) }
    for table in report.tables { text += details(table, style) }
    text += "\n"
    return text + style.lines(report.findings) + style.wrapped(headline(style)) + "\n"
  }

  private func types(_ style: Style) -> TerminalText {
    let mismatches = report.types.filter(\.isMismatch)
    let noteCount = report.types.count - mismatches.count
    let notes: TerminalText =
      noteCount > 0
      ? "\(Numbers.counted(noteCount, "column")) \(noteCount == 1 ? "differs" : "differ") only in what production refuses: domains, NOT NULL (--json).\n"
      : ""
    guard !mismatches.isEmpty else { return "The types of staging and production are the same. \(notes)\n" }
    var table = TextTable(["table", "column", "production", "staging", "types"])
    for type in mismatches {
      table.add([type.table, type.column, type.production ?? "-", type.staging ?? "-", type.status])
    }
    return table.rendered(style) + notes + "\n"
  }

  private var counts: TextTable {
    var table = TextTable(
      ["table"],
      numbers: ["compared", "equal", "newer in production", "missing", "outdated", "differing", "extra", "deleted"]
    )
    for entry in report.tables {
      let counts = entry.counts
      let numbers = [
        counts.read - counts.superseded, counts.equal, counts.productionNewer, counts.missing, counts.outdated,
        counts.differing,
      ]
      let extra = entry.extra.windowCount == nil ? "-" : Numbers.grouped(entry.extra.count)
      table.add([entry.table] + numbers.map(Numbers.grouped) + [extra, Numbers.grouped(entry.extra.deletedCount)])
    }
    return table
  }

  private func details(_ table: VerifyReport.Table, _ style: Style) -> TerminalText {
    var text: TerminalText = ""
    for column in table.columns {
      let keys = column.sampleKeys.map(Self.key).joined(separator: "; ")
      text += "  column \(column.column) differs in \(Numbers.counted(column.rows, "row")): \(keys)\n"
    }
    for sample in table.samples {
      text += "  \(sample.kind.rawValue) \(Self.key(sample.key))"
      if let message = sample.message { text += ": \(lines: message)" }
      text += "\n"
      for change in sample.columns {
        text += "    \(change.column): production \(change.old ?? "NULL"), staging \(change.new ?? "NULL")\n"
      }
    }
    if let note = table.extra.note { text += "  extra rows \(note)\n" }
    return text.isEmpty ? "" : "\n" + style.paint("\(table.table)", .bold) + "\n" + text
  }

  private static func key(_ key: [String: String?]) -> String {
    key.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value ?? "NULL")" }.joined(separator: ", ")
  }

  private func headline(_ style: Style) -> TerminalText {
    let looked: TerminalText =
      "\(Numbers.counted(report.tables.reduce(0) { $0 + $1.counts.read }, "staging row")) compared at "
      + "\(Numbers.grouped(report.rowsPerSecond)) rows/s."
    return switch report.status {
    case .success: style.paint("SUCCESS", .green) + ": production is as it should be. \(looked)"
    case .different: style.paint("DIFFERENT", .red) + ": production is not what was merged. \(looked)"
    case .blocked: style.paint("BLOCKED", .red) + ": the rows can't be compared."
    case .aborted: style.paint("ABORTED", .yellow) + ": interrupted; what was found up to then. \(looked)"
    }
  }
}
