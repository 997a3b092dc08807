import MergeEngine

/// A verification as a person reads it: types, rows, columns and keys that differ.
struct VerifyTable {
  let report: VerifyReport
  /// Where every difference is, if that was asked for.
  var outputPath: String?

  func rendered(_ style: Style) -> TerminalText {
    var text = types(style)
    if !report.tables.isEmpty { text += counts.rendered(style) }
    for table in report.tables { text += details(table, style) }
    text += "\n"
    return text + style.lines(report.findings) + advice() + style.wrapped(headline(style)) + "\n"
  }

  private func types(_ style: Style) -> TerminalText {
    let mismatches = report.types.filter(\.isMismatch)
    let noteCount = report.types.count - mismatches.count
    let notes: TerminalText =
      noteCount > 0
      ? "\(Numbers.counted(noteCount, "column")) \(noteCount == 1 ? "is" : "are") stricter in production (NOT NULL, domains), as init makes them; --json lists them.\n"
      : ""
    // Of tables that are not there nothing is the same.
    if mismatches.isEmpty && report.status == .blocked { return "" }
    guard !mismatches.isEmpty else {
      return "The types of staging and production are the same.\(notes.isEmpty ? "" : " ")\(notes)\n"
    }
    var table = TextTable(["table", "column", "production", "staging", "types"])
    for type in mismatches {
      table.add([type.table, type.column, type.production ?? "-", type.staging ?? "-", type.status])
    }
    return table.rendered(style) + notes + "\n"
  }

  private var counts: TextTable {
    var table = TextTable(
      ["table"],
      numbers: ["compared", "equal", "newer in production", "missing", "outdated", "ties differing", "extra"]
    )
    for entry in report.tables {
      let counts = entry.counts
      let numbers = [
        counts.comparedCount, counts.equal, counts.productionNewer, counts.missing + counts.deletedSince,
        counts.outdated, counts.differing,
      ]
      let extra = entry.extra.windowCount == nil ? "-" : Numbers.grouped(entry.extra.count)
      table.add([entry.table] + numbers.map(Numbers.grouped) + [extra])
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
      text += "  \(Self.word(sample.kind)) \(Self.key(sample.key))"
      if let message = sample.message { text += ": \(lines: message)" }
      text += "\n"
      for change in sample.columns {
        text += "    \(change.column): production \(change.old ?? "NULL"), staging \(change.new ?? "NULL")\n"
      }
    }
    if let note = table.extra.note { text += "  extra rows \(note)\n" }
    if let left = Self.notCompared(table) { text += "  not compared: \(left).\n" }
    return text.isEmpty ? "" : "\n" + style.paint("\(table.table)", .bold) + "\n" + style.wrapped(text)
  }

  private static func word(_ kind: DifferenceKind) -> String {
    kind == .deletedSince ? "deleted since the first check" : kind.rawValue
  }

  /// All of staging's rows that are not among the compared ones, by why.
  private static func notCompared(_ table: VerifyReport.Table) -> String? {
    let rows = table.notCompared
    let reasons = [
      (table.counts.superseded, "older than another row of the same key"),
      (rows?.refused ?? 0, "refused (merge-engine errors list)"),
      (rows?.dismissed ?? 0, "dismissed (merge-engine errors list --dismissed)"),
      (rows?.unread ?? 0, "not merged yet"),
      (rows?.outsideWindow ?? 0, "outside the window"),
      (table.counts.unreadable, "that production's types can't hold"),
      (table.counts.vanished, "changed or deleted in staging during the check"),
    ]
    let parts = reasons.filter { $0.0 > 0 }.map { "\(Numbers.grouped($0.0)) \($0.1)" }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  /// What differing ties are, and what becomes of all differences.
  private func advice() -> TerminalText {
    guard report.status == .different else { return "" }
    let hasExtra = report.tables.contains { $0.extra.count > 0 }
    var text: TerminalText = ""
    let ties = report.tables.reduce(0) { $0 + $1.counts.differing }
    if ties > 0 {
      text +=
        "Ties differing: rows of the same version on both sides, with other values. A merge leaves such rows alone; merge-engine "
        + "--again --ties compare updates them.\n"
    }
    return text
      + (outputPath.map {
        "Every difference is in \($0): merge-engine repair \($0) --plan shows what a repair would do.\n"
      }
        ?? "--output FILE writes every difference, and merge-engine repair FILE mends it\(hasExtra ? ", extra rows with --kind extra" : "").\n")
  }

  private static func key(_ key: [String: String?]) -> String {
    key.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value ?? "NULL")" }.joined(separator: ", ")
  }

  private var difference: TerminalText {
    let extraCount = report.tables.reduce(0) { $0 + $1.extra.count }
    let onlyExtra = report.tables.allSatisfy { $0.counts.differenceCount == 0 }
    let onlyTies = report.tables.allSatisfy { $0.extra.count == 0 && $0.counts.differenceCount == $0.counts.differing }
    return onlyTies
      ? "production has other values in rows that are as new as staging's (--ties compare)"
      : onlyExtra
        ? "production has \(Numbers.counted(extraCount, "row")) that staging does not have"
        : "production is not what staging holds"
  }

  private var unreadCount: Int { report.tables.reduce(0) { $0 + ($1.notCompared?.unread ?? 0) } }

  /// All of staging was merged.
  private var isWhole: Bool { unreadCount == 0 }

  private var left: TerminalText {
    isWhole
      ? ""
      : " \(Numbers.counted(unreadCount, "row")) of staging \(unreadCount == 1 ? "is" : "are") not merged yet: run merge-engine."
  }

  private func headline(_ style: Style) -> TerminalText {
    let looked: TerminalText =
      "\(Numbers.counted(report.comparedCount, "staging row")) compared at "
      + "\(Numbers.grouped(report.rowsPerSecond)) rows/s."
    return switch report.status {
    case .success:
      style.paint("SUCCESS", .green)
        + ": \(isWhole ? "production is" : "what was compared is") as it should be. \(looked)\(left)"
    case .partial:
      style.paint("PARTIAL", .yellow)
        + ": what was compared is as it should be; \(Numbers.counted(report.standingErrors ?? 0, "refused row")) could not be compared. \(looked)\(left)"
    case .different: style.paint("DIFFERENT", .red) + ": \(difference). \(looked)"
    case .nothingCompared: style.paint("NOTHING COMPARED", .red) + ": that says nothing about production."
    case .blocked: style.paint("BLOCKED", .red) + ": the rows can't be compared."
    case .aborted: style.paint("ABORTED", .yellow) + ": interrupted; what was found up to then. \(looked)"
    }
  }
}
