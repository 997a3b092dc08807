import DMS
import Foundation
import MergeEngine
import Reload

/// The end of a reload: its phases, and the exit status.
struct ReloadOutput {
  let context: CommandContext

  init(_ context: CommandContext) { self.context = context }

  /// - Throws: ``CommandEnd`` with the merge's status, and whatever ended the reload.
  func finish(_ result: Result<ReloadReport, any Error>, _ stop: StopSignal) throws {
    let report: ReloadReport
    do {
      report = try result.get()
    } catch ReloadFailure.interrupted(let goOn) {
      StandardError.write(failure: ["\(goOn)"], context.logFormat)
      throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
    }
    try show(report)
    if let merge = report.merge {
      if merge.status != .success && merge.status != .partial {
        StandardError.write("The load was good and stays in staging. Continue with: merge-engine reload --resume\n")
      }
      try MergeExecution.finish(merge, stop)
    }
    let isLeft = report.failures.map { !$0.remaining.isEmpty || $0.extra > 0 } ?? false
    if report.differs == true || isLeft || (report.validation?.open ?? 0) > 0 { throw CommandEnd(status: .rowsRefused) }
  }

  private func show(_ report: ReloadReport) throws {
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet else { return }
    let style = StandardOutput.style
    if let merge = report.merge {
      StandardOutput.write("\(RunTable(report: merge, database: context.target.description).rendered(style))\n")
    }
    var table = TextTable([.text("phase"), .number("time"), .text("result")])
    for phase in report.phases {
      let time = Numbers.duration(milliseconds: phase.elapsedMilliseconds)
      table.add([phase.phase.rawValue, time, phase.result])
    }
    StandardOutput.write(table.rendered(style))
    let scope = report.from.map { "window \($0) to \(report.to ?? "")" } ?? "rows that DMS found to differ"
    StandardOutput.write("run \(report.runID): \(scope), task \(report.taskARN)\n")
    if let failures = report.failures { show(failures, style) }
  }

  /// Rows that are listed. Arbitrary.
  private static let shownRowCount = 20

  private func show(_ failures: AskedRows.Outcome, _ style: Style) {
    if !failures.remaining.isEmpty {
      var table = TextTable(["table", "key", "columns", "why it remains"])
      for row in failures.remaining.prefix(Self.shownRowCount) {
        let key = row.key.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        table.add([row.table, key, row.columns.joined(separator: ", "), row.reason])
      }
      StandardOutput.write("\n")
      StandardOutput.write(table.rendered(style))
      let more = failures.remaining.count - Self.shownRowCount
      if more > 0 { StandardOutput.write("and \(Numbers.counted(more, "more row")).\n") }
    }
    if let file = failures.extraFile {
      StandardOutput.write(
        "\n\(Numbers.counted(failures.extra, "row")) that Oracle no longer has \(failures.extra == 1 ? "is" : "are") still in production. Nothing was "
          + "deleted. \(file) lists them; to delete them: merge-engine repair \(file) --kind extra\n"
      )
    }
  }

  /// The end of a reload that has no row to load.
  func showNothingToLoad() throws {
    if context.writesJSON { return try StandardOutput.write(json: NothingToLoad()) }
    guard !context.isQuiet else { return }
    StandardOutput.write(
      "Every row that DMS's validation found to differ is mended by now: there is nothing to load.\n"
    )
  }

  private struct NothingToLoad: Encodable {
    let phases: [PhaseResult] = []
    let failures = AskedRows.Outcome()

    private enum CodingKeys: String, CodingKey { case phases, failures }
  }
}

/// What a dry run prints.
struct DryRunOutput {
  let plan: ReloadPlan

  func write(asJSON: Bool) throws {
    if asJSON { return try StandardOutput.write(json: plan) }
    StandardOutput.write("tables: \(plan.tables.joined(separator: ", "))\n")
    for call in plan.calls {
      StandardOutput.write("\naws dms \(call.operation) --cli-input-json file://request.json, with\n")
      StandardOutput.write(document: JSONWriter().text(call.request) + "\n")
    }
    StandardOutput.write(
      """

      The mappings and the settings are passed as text.
      Then staging would be counted and merged. Nothing was called, nothing was written.

      """
    )
  }
}
