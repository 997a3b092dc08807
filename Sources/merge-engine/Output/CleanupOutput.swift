import MergeEngine
import Reload

/// What a clean-up did, a line each.
struct CleanupOutput {
  let report: Cleanup.Report

  func write(_ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet else { return }
    for file in report.archived { StandardOutput.write("archived: \(file)\n") }
    for table in report.staging {
      let text =
        table.truncated.map { "truncated, \(Numbers.counted($0, "row"))" } ?? "not truncated: \(table.reason ?? "")"
      StandardOutput.write("staging table \(table.table): \(text)\n")
    }
    for task in report.tasks {
      StandardOutput.write("task \(task.task): \(task.deleted ? "deleted" : "not deleted: \(task.reason ?? "")")\n")
    }
    for table in report.beforeImages { StandardOutput.write("before-images dropped: \(table)\n") }
    if !report.pruned.isEmpty {
      StandardOutput.write("records deleted of runs: \(report.pruned.map(String.init).joined(separator: ", "))\n")
    }
  }
}
