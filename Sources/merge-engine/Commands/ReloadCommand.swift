import ArgumentParser
import DMS
import Foundation
import MergeEngine
import Reload

/// `merge-engine reload`
struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Load a window from Oracle with a DMS task, check the load, merge it and clean up.",
    discussion: """
      Nothing is merged from a bad load. Ctrl-C leaves the task running in AWS; reload --resume picks it up again.
      """
  )

  @OptionGroup var merge: MergeCommand
  @OptionGroup var source: SourceOptions
  @OptionGroup var task: TaskOptions
  @OptionGroup var aws: AWSOptions

  @Flag(help: "Empty the staging tables first, whatever is in them.")
  var truncate = false

  @Flag(help: "Keep the task in AWS even when everything went well.")
  var keepTask = false

  @Flag(help: "Continue the latest reload from where it was interrupted.")
  var resume = false

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("With --resume: the run to continue (default: the latest reload).", valueName: "id")
  )
  var runID: Int?

  @Flag(help: "Check tables and documents, print what would be called, and write nothing.")
  var dryRun = false

  private var comparison: ComparisonOptions { merge.merging.comparison }

  func validate() throws {
    guard resume || runID == nil else { throw ValidationError("--run only has a meaning with --resume.") }
    guard !(resume && (comparison.from != nil || comparison.to != nil || truncate || dryRun)) else {
      throw ValidationError(
        "--resume keeps the window and the staging rows of the reload: leave out --from, --to, --truncate and --dry-run."
      )
    }
  }

  func run() async throws {
    let context = try CommandContext(merge.database)
    try context.schemas.requireOnePair(for: "reload")
    let reportFile = merge.merging.reportPath.map { ReportFile(path: $0, context) }
    try reportFile?.check()
    let stop = StopSignal()
    let reload = Reload(
      setting: try setting(context),
      service: aws.service(context.configuration.dms),
      steps: try steps(context, stop),
      logger: context.logger,
      onEvent: ReloadDisplay(context).show
    )
    if dryRun { return try await DryRunOutput(plan: reload.plan(request(context))).write(asJSON: context.writesJSON) }
    let request = resume ? nil : try request(context)
    let work = Task {
      if let request { try await reload.run(request) } else { try await reload.resume(run: runID) }
    }
    let interrupts = Interrupts { signal in
      stop.request(signal: signal)
      work.cancel()
    }
    let result = await work.result
    let isReported = try await onThreadOfItsOwn {
      guard let reportFile, let runID = try? result.get().runID else { return true }
      return reportFile.writeAfterMerge(run: runID)
    }
    withExtendedLifetime(interrupts) {}
    try ReloadOutput(context).finish(result, stop)
    if !isReported { throw CommandEnd(status: .internalFailure) }
  }

  private func request(_ context: CommandContext) throws -> ReloadRequest {
    let window = try TimeWindow(from: comparison.from, to: comparison.to)
    let planner = MappingPlanner(
      configuration: context.configuration,
      columns: context.columns,
      stagingSchema: context.schemas.staging,
      options: source
    )
    let task = task
    var request = ReloadRequest(window: window, route: try task.route(context.configuration.dms)) { tables in
      try task.documents(planner, tables, window: window)
    }
    request.padding = try planner.padding()
    request.truncatesFirst = truncate
    request.ignoresLint = task.noLint
    return request
  }

  private func setting(_ context: CommandContext) throws -> ReloadSetting {
    var setting = ReloadSetting(target: context.target, options: try merge.resolve(context))
    setting.stagingTarget = try context.stagingTarget(merge.staging.stagingDatabase)
    setting.cleansUp = setting.options.cleanup
    setting.keepsTask = keepTask
    try task.setLimits(&setting)
    return setting
  }

  private func steps(_ context: CommandContext, _ stop: StopSignal) throws -> ReloadSteps {
    let stagingTarget = try context.stagingTarget(merge.staging.stagingDatabase)
    var steps = ReloadSteps { options in
      try MergeExecution(context: context, stagingTarget: stagingTarget, options: options, stop: stop).merge()
    }
    steps.verify = { options in
      var wanted = VerifyOptions()
      wanted.merge = options
      wanted.mark = options.mark
      let report = try Verification(
        target: context.target,
        stagingTarget: stagingTarget,
        options: wanted,
        logger: context.logger,
        stop: stop
      ).run()
      // Rows in production only are told, not counted: a row that Oracle has changed since has left the window.
      let differs = report.status == .blocked || report.tables.contains { $0.counts.differenceCount > 0 }
      return ReloadSteps.Verification(differs: differs, summary: Self.summary(report))
    }
    return steps
  }

  private static func summary(_ report: VerifyReport) -> String {
    let read = report.tables.reduce(0) { $0 + $1.counts.read }
    let differing = report.tables.reduce(0) { $0 + $1.counts.differenceCount }
    let extra = report.tables.reduce(0) { $0 + $1.extra.count }
    return switch report.status {
    case .blocked: "the tables can't be compared: merge-engine verify says why"
    case .aborted: "interrupted"
    case .nothingCompared: "there was no row to compare"
    case .success, .different:
      "\(Numbers.counted(read, "row")) compared, \(Numbers.grouped(differing)) differ, "
        + "\(Numbers.grouped(extra)) in production only"
    }
  }
}
