import MergeEngine

/// The status as a person reads it: staging above, runs below.
struct StatusTable {
  let status: MergeStatus

  func rendered(_ style: Style) -> TerminalText {
    var text: TerminalText = ""
    if status.tables.isEmpty, status.errorsElsewhere == 0, status.ofCitus.isEmpty {
      text += "There are no staging tables. merge-engine init creates them.\n"
    } else if !status.tables.isEmpty {
      var table = TextTable(["staging table"], numbers: ["total", "pending", "processed", "errors"])
      for entry in status.tables {
        let numbers = [entry.total, entry.pending, entry.processed, entry.errors]
        table.add([entry.table] + numbers.map(Numbers.grouped))
      }
      text += table.rendered(style)
    }
    if !status.windowsReadOtherwise.isEmpty {
      let note: TerminalText =
        "Of \(status.windowsReadOtherwise.joined(separator: ", ")) merged rows may be among the pending ones: a merge with --from or --to "
        + "has read their versions otherwise than staging's updated_at has them (type, zone, column). merge-engine plan counts exactly."
      text += style.wrapped(note) + "\n"
    }
    if !status.keysChanged.isEmpty {
      let note: TerminalText =
        "Of \(status.keysChanged.joined(separator: ", ")) merged rows are among the pending ones: production's primary key has changed "
        + "since, and the next merge reads them once more."
      text += style.wrapped(note) + "\n"
    }
    if status.errorsElsewhere > 0 {
      let note: TerminalText =
        "\(Numbers.counted(status.errorsElsewhere, "row")) of staging in another database stood refused when last seen: merge-engine errors "
        + "list. Its rows are not counted here; plan and merge count them."
      text += style.wrapped(note) + "\n"
    }
    if let name = status.missingAdminSchema {
      let note: TerminalText =
        "There is no admin schema \(name): nothing has been merged yet, or the schema has another name (--admin-schema)."
      return text + "\n" + style.wrapped(note) + "\n"
    }
    guard !status.runs.isEmpty else { return text + "\nNo runs are on record.\n" }
    return text + "\n" + runs.rendered(style)
  }

  private var runs: TextTable {
    var table = TextTable(
      [.number("run"), .text("status"), .text("started (UTC)"), .text("ended (UTC)")]
        + ["read", "inserted", "updated", "errors"].map(TextTable.Column.number)
    )
    for run in status.runs {
      table.add(
        [
          "\(run.runID)", run.status + (run.pausedBecause.map { ", paused (\($0))" } ?? ""),
          Self.readable(run.startedAt), Self.readable(run.finishedAt),
        ]
          + [run.read, run.inserted, run.updated, run.errors].map(Numbers.grouped)
      )
    }
    return table
  }

  /// `2026-01-31T10:11:12.345Z` as `2026-01-31 10:11:12`.
  private static func readable(_ time: String?) -> String {
    guard let time else { return "-" }
    return String(time.prefix(19)).replacing("T", with: " ")
  }
}
