import MergeEngine

/// One row's history as a person reads it.
struct WhyTable {
  let report: WhyReport

  /// Longer values are cut. Arbitrary.
  private static let shownCharacterCount = 40

  func rendered(_ style: Style) -> TerminalText {
    let key = report.key.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    let place: TerminalText = report.node.map { " on node \($0)" } ?? ""
    var text = style.paint("\(report.table), \(key)\(place)", .bold) + "\n\n" + sides.rendered(style) + "\n"
    var history: TerminalText = ""
    if report.staging.isEmpty { history += "Staging has no row with this key.\n" }
    for row in report.staging { history += standing(row) }
    if report.production == nil { history += "Production has no row with this key.\n" }
    let events = report.reads.map { ($0.at, line($0)) } + report.refusals.map { ($0.at, line($0)) }
    for event in events.sorted(by: { ($0.0 ?? "") < ($1.0 ?? "") }) { history += event.1 }
    for image in report.images { history += line(image) }
    text += style.wrapped(history)
    return text
  }

  /// Production beside the newest staging row; columns that differ are marked.
  private var sides: TextTable {
    var table = TextTable(["column", "staging", "production", ""])
    let staged = report.staging.first
    for column in report.columns {
      let differs = staged?.differing.contains(column) == true
      table.add([
        column, Self.shown(staged?.values[column], isThere: staged != nil),
        Self.shown(report.production?.values[column], isThere: report.production != nil), differs ? "differs" : "",
      ])
    }
    return table
  }

  private static func shown(_ value: String??, isThere: Bool) -> String {
    guard isThere else { return "-" }
    guard let value = value ?? nil else { return "NULL" }
    return value.count > shownCharacterCount ? value.prefix(shownCharacterCount) + "…" : value
  }

  private func standing(_ row: WhyReport.StagingRow) -> TerminalText {
    let standing =
      switch row.standing {
      case .merged: row.verdict == .stale ? "read, and left alone" : "merged"
      case .pending: "not merged yet"
      case .refused: "refused"
      case .dismissed: "dismissed: no merge reads it"
      case .outsideWindow: "outside the window"
      }
    let verdict =
      switch row.verdict {
      case .insert: "Production lacks it, so the rule would insert it"
      case .update: "It is newer than production's, so the rule would update production"
      case .unchanged: "It is as new as production's, and the same: there is nothing to do"
      case .tie:
        "It is as new as production's with other values (a tie): left alone; merge-engine --again --ties compare updates it"
      case .stale: "It is older than production's, which the rule leaves as it is"
      case .error: "Staging's rows of this key can't all be read as production's types; the values are staging's own"
      }
    // What the rule would say of it matters to nobody.
    guard row.standing != .dismissed else { return "staging row \(row.ctid): \(standing).\n" }
    return "staging row \(row.ctid): \(standing). \(verdict).\n"
  }

  private func line(_ read: WhyReport.Read) -> TerminalText {
    let batch = read.worker.map { " in a batch of \(Numbers.counted(read.rows ?? 0, "row")) by worker \($0)" } ?? ""
    let earlier = read.isOrEarlier ? " or an earlier one" : ""
    return "\(time(read.at)) read by run \(read.runID.map(String.init) ?? "?")\(earlier)\(batch)\n"
  }

  private func line(_ refusal: WhyReport.Refusal) -> TerminalText {
    let state = refusal.sqlState.map { " (SQLSTATE \($0))" } ?? ""
    let because = refusal.dismissedBecause.map { " because: \($0)" } ?? ""
    let standing =
      switch refusal.standing {
      case "retried": "it was retried, or has changed or left staging since"
      case "gone": "it has changed or left staging since"
      default: refusal.standing
      }
    return
      "\(time(refusal.at)) refused in run \(refusal.runID.map(String.init) ?? "?"): \(refusal.message ?? "")\(state); "
      + "\(standing)\(because)\n"
  }

  private func line(_ image: WhyReport.Image) -> TerminalText {
    let run = "\(image.isRepair ? "repair, " : "")run \(image.runID) (\(image.runStatus))"
    let since = image.isUntouched ? "untouched since" : "changed since"
    let before =
      image.before.map { values in
        ": it was "
          + values.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.shown($0.value, isThere: true))" }
          .joined(separator: ", ")
      } ?? ""
    return "\(run) has \(image.effect) it, \(since)\(before)\n"
  }

  private func time(_ text: String?) -> String { text ?? "at an unknown time" }
}
