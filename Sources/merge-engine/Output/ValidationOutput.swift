import MergeEngine

/// What DMS's validation has found, as tables or as JSON.
struct ValidationOutput {
  let report: ValidationReport
  let showsMended: Bool
  let limit: Int

  func write(_ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: shown) }
    guard !context.isQuiet else { return }
    let style = StandardOutput.style
    let isUnknown = counted == 0 && !report.findings.isEmpty
    StandardOutput.write(
      "\(report.sources.map { "\($0.table)" }.joined(separator: ", ")): "
        + (isUnknown
          ? "no failures of tables that are known here; the others are described below.\n"
          : "\(Numbers.counted(counted, "failure")), \(Numbers.grouped(report.openCount)) not known to be mended.\n")
    )
    if !report.tables.isEmpty {
      StandardOutput.write("\n")
      StandardOutput.write(summary.rendered(style))
    }
    if !shown.failures.isEmpty {
      StandardOutput.write("\n")
      StandardOutput.write(failures.rendered(style))
    }
    if shown.failures.count < wanted.count {
      StandardOutput.write("There are \(Numbers.grouped(wanted.count - shown.failures.count)) more: raise --limit.\n")
    }
    if report.otherFailures > 0 {
      StandardOutput.write(
        "\n\(Numbers.counted(report.otherFailures, "failure")) of tables that are not in production, or were not asked for.\n"
      )
    }
    for finding in report.findings { StandardOutput.write("\n\(finding.message)\n") }
    if report.failures.contains(where: \.isReloadable) {
      StandardOutput.write("\nLoad and merge just these rows: merge-engine reload --from-validation\n")
    }
  }

  private var counted: Int { report.tables.reduce(0) { $0 + $1.failures } }

  private var wanted: [ValidationFailure] {
    showsMended ? report.failures : report.failures.filter { $0.standing != .mended }
  }

  /// The report with the failures that are listed.
  private var shown: ValidationReport { report.listing(Array(wanted.prefix(limit))) }

  private var summary: TextTable {
    var table = TextTable(["table", "kind"], numbers: ["failures", "stand", "changed", "mended", "unreadable"])
    for entry in report.tables {
      let counts = [entry.failures, entry.standing, entry.changed, entry.mended, entry.unreadable]
      table.add([entry.table, entry.kind.rawValue] + counts.map(Numbers.grouped))
    }
    return table
  }

  private var failures: TextTable {
    var table = TextTable(["table", "key", "kind", "now", "columns", "why"])
    for failure in shown.failures {
      let key = failure.key.map { key in
        key.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
      }
      table.add([
        failure.table, key ?? failure.keyText, failure.kind.rawValue, failure.standing.rawValue,
        failure.columns.joined(separator: ", "), failure.reason ?? "",
      ])
    }
    return table
  }
}
