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
    if report.differs == true { throw CommandEnd(status: .rowsRefused) }
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
    StandardOutput.write("run \(report.runID): window \(report.from) to \(report.to), task \(report.taskARN)\n")
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

      TableMappings and ReplicationTaskSettings are passed as text.
      Then staging would be counted and merged. Nothing was called, nothing was written.

      """
    )
  }
}
