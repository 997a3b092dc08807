import ArgumentParser
import MergeEngine

extension MergeOptions.Mark: ExpressibleByArgument {}

/// `merge-engine [merge]`
struct MergeCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merge staging into production: the newer version of a row wins. The default command."
  )

  @OptionGroup var database: DatabaseOptions

  @OptionGroup var merging: MergeRunOptions

  @Option(
    help: """
      Keep staging's status column up to date, where there is one: all, or none to leave it alone (default: all).
      """
  )
  var mark: MergeOptions.Mark?

  @OptionGroup var staging: StagingDatabaseOption

  @OptionGroup var nodes: NodesOption

  @Flag(
    help: """
      Read everything in staging again, including what is already merged. Rows deleted from production since then come back.
      """
  )
  var again = false

  @Flag(inversion: .prefixedNo, help: "Truncate the staging tables at the end if every row is merged.")
  var cleanup: Bool?

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stagingTarget = try context.stagingTarget(staging.stagingDatabase)
    let reportFile = merging.reportPath.map { ReportFile(path: $0, context) }
    try reportFile?.check()
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let onEnd = merging.endCommand(context)
    let nodeAddresses = nodes.addresses(context)
    let (report, isReported) = try await OnEndCommand.isTold(onEnd) {
      try await onThreadOfItsOwn {
        let report = try MergeExecution(
          context: context,
          stagingTarget: stagingTarget,
          nodes: nodeAddresses,
          options: options,
          stop: stop
        )
        .run()
        return (report, reportFile?.writeAfterMerge(run: report.runID) ?? true)
      }
    }
    withExtendedLifetime(interrupts) {}
    try MergeExecution.finish(report, isReported: isReported, onEnd: onEnd, stop)
  }

  func resolve(_ context: CommandContext) throws -> MergeOptions {
    let file = context.configuration
    var options = try merging.resolve(context)
    options.mark = mark ?? file.mark.flatMap { .init(rawValue: $0) } ?? options.mark
    options.again = again
    options.cleanup = cleanup ?? file.cleanup ?? options.cleanup
    return options
  }
}
