import ArgumentParser
import Foundation
import MergeEngine

/// `merge-engine replay`
struct ReplayCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Merge a snapshot's files into production as merge would have merged staging. Needs no staging table.",
    discussion: """
      All files are checked first; if one is damaged, nothing is written. All rows are merged, however they were marked. Run \
      again, a replay that was interrupted continues where it stopped; one that is done starts over, and changes nothing more.
      """
  )

  @Argument(help: ArgumentHelp("The folder of a snapshot.", valueName: "dir"), completion: .directory)
  var directory: String

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var merging: MergeRunOptions

  @Flag(help: "Only fill the staging tables, which must be empty or missing. Nothing is merged.")
  var intoStaging = false

  @Flag(help: "Read the whole snapshot, even if an interrupted replay has merged part of it.")
  var restart = false

  @Option(
    help: ArgumentHelp("With --into-staging: the database that staging is in, if not --database.", valueName: "url")
  )
  var stagingDatabase: String?

  func validate() throws {
    guard intoStaging || stagingDatabase == nil else {
      throw ValidationError(
        "--staging-database only has a meaning with --into-staging: a replay reads no staging table."
      )
    }
    guard !(intoStaging && merging.reportPath != nil) else {
      throw ValidationError("--report is about a merge from the snapshot: without --into-staging.")
    }
    guard !(intoStaging && restart) else {
      throw ValidationError("--restart is for a merge from the snapshot: without --into-staging.")
    }
  }

  func run() async throws {
    let context = try CommandContext(database)
    var options = try merging.resolve(context)
    options.startsOver = restart ? true : nil
    let snapshot = try Snapshot(directory: URL(fileURLWithPath: directory))
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    if intoStaging {
      try await restore(snapshot, options: options, context, stop: stop)
    } else {
      try await merge(snapshot, options: options, context, stop: stop)
    }
    withExtendedLifetime(interrupts) {}
  }

  private func merge(
    _ snapshot: Snapshot,
    options: MergeOptions,
    _ context: CommandContext,
    stop: StopSignal
  ) async throws {
    let execution = MergeExecution(context: context, snapshot: snapshot, options: options, stop: stop)
    let reportFile = merging.reportPath.map { ReportFile(path: $0, context) }
    try reportFile?.check()
    let onEnd = merging.endCommand(context)
    let (report, isReported) = try await OnEndCommand.isTold(onEnd) {
      do {
        return try await onThreadOfItsOwn {
          let report = try execution.run()
          return (report, reportFile?.writeAfterMerge(run: report.runID) ?? true)
        }
      } catch is CancellationError {
        throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
      }
    }
    try MergeExecution.finish(report, isReported: isReported, onEnd: onEnd, stop)
  }

  private func restore(
    _ snapshot: Snapshot,
    options: MergeOptions,
    _ context: CommandContext,
    stop: StopSignal
  ) async throws {
    let restore = SnapshotRestore(
      target: try context.stagingTarget(stagingDatabase) ?? context.target,
      snapshot: snapshot,
      options: options,
      logger: context.logger,
      stop: stop
    )
    let result = try await Waiting.on("filling staging", context) { Result { try restore.run() } }
    if case .failure = result, let signal = stop.signal { throw CommandEnd(status: ExitStatus(signal: signal)) }
    try RestoreOutput(tables: result.get()).write(context)
  }
}
