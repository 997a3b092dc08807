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
      Nothing is merged from a bad load. Ctrl-C leaves the task running in AWS; reload --resume picks it up again. \
      --from-validation loads only the rows that DMS's own validation found to differ (merge-engine validation list).
      """
  )

  @OptionGroup var merge: MergeCommand
  @OptionGroup var source: SourceOptions
  @OptionGroup var task: TaskOptions
  @OptionGroup var aws: AWSOptions

  @OptionGroup var failure: FailureOptions

  @Flag(help: "Load only the rows that DMS's validation found to differ, and merge them with --ties compare.")
  var fromValidation = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      """
      With --from-validation: the file for rows that Oracle no longer has, for repair --kind extra (default: extra-rows.jsonl).
      """,
      valueName: "file"
    )
  )
  var output: String?

  @Flag(
    name: .customLong("validate"),
    help: "At the end have DMS compare Oracle and production in the window, with a validation-only task."
  )
  var validates = false

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

  /// Where rows go that Oracle has no more, if nobody says otherwise.
  private static let defaultOutput = "extra-rows.jsonl"

  func validate() throws {
    guard resume || runID == nil else { throw ValidationError("--run only has a meaning with --resume.") }
    guard !(resume && (comparison.from != nil || comparison.to != nil || truncate || dryRun)) else {
      throw ValidationError(
        "--resume keeps the window and the staging rows of the reload: leave out --from, --to, --truncate and --dry-run."
      )
    }
    guard !(resume && (fromValidation || validates)) else {
      throw ValidationError("--resume keeps what the reload was asked for: leave out --from-validation and --validate.")
    }
    guard fromValidation || (output == nil && failure.failureTable == nil) || validates else {
      throw ValidationError("--output and --failure-table only have a meaning with --from-validation.")
    }
    guard output == nil || fromValidation else {
      throw ValidationError("--output only has a meaning with --from-validation.")
    }
    let isOfWindow = comparison.from != nil || comparison.to != nil || source.pad != nil || task.mappings != nil
    guard !fromValidation || !(isOfWindow || validates) else {
      throw ValidationError(
        "--from-validation loads single rows, whatever their version: leave out --from, --to, --pad, --mappings and "
          + "--validate."
      )
    }
  }

  func run() async throws {
    let context = try CommandContext(merge.database)
    let reportFile = merge.merging.reportPath.map { ReportFile(path: $0, context) }
    try reportFile?.check()
    let stop = StopSignal()
    let request = resume ? nil : try await request(context)
    if fromValidation && request == nil { return try ReloadOutput(context).showNothingToLoad() }
    let reload = Reload(
      setting: try setting(context),
      service: aws.service(context.configuration.dms),
      steps: try steps(context, stop),
      logger: context.logger,
      onEvent: ReloadDisplay(context).show
    )
    if dryRun, let request {
      return try await DryRunOutput(plan: reload.plan(request)).write(asJSON: context.writesJSON)
    }
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

  /// - Returns: nil when no row is left that DMS found to differ.
  private func request(_ context: CommandContext) async throws -> ReloadRequest? {
    var request = fromValidation ? try await rowRequest(context) : try windowRequest(context)
    request?.truncatesFirst = truncate
    request?.ignoresLint = task.noLint
    return request
  }

  /// A request for the rows that DMS found to differ and that are not known to be mended.
  private func rowRequest(_ context: CommandContext) async throws -> ReloadRequest? {
    let reader = try failure.reader(context, sourceSchemas: source.sourceSchema)
    let report = try await Waiting.on("reading what DMS found to differ", context) { try reader.read() }
    guard report.obstacles.isEmpty else { throw MergeFailure.blocked(report.obstacles) }
    for entry in report.tables where entry.kind == .tableWarning {
      context.logger.warning(
        """
        \(entry.table): \(Numbers.counted(entry.standing, "warning")) of DMS about the whole table, which reloading rows can't mend; \
        merge-engine validation list shows what it says
        """
      )
    }
    let keys = report.reloadableKeys
    guard !keys.isEmpty else { return nil }
    let rows = FailedRows(keys: keys, output: output ?? Self.defaultOutput)
    return ReloadRequest(rows: rows, route: try task.route(context.configuration.dms))
  }

  private func windowRequest(_ context: CommandContext) throws -> ReloadRequest {
    let window = try TimeWindow(from: comparison.from, to: comparison.to)
    let planner = planner(context, .staging)
    let task = task
    var request = ReloadRequest(window: window, route: try task.route(context.configuration.dms)) { tables in
      try task.documents(planner, tables, window: window)
    }
    request.padding = try planner.padding()
    request.validates = validates
    return request
  }

  private func planner(_ context: CommandContext, _ side: MappingPlanner.Side) -> MappingPlanner {
    MappingPlanner(
      configuration: context.configuration,
      columns: context.columns,
      schemas: context.schemas,
      side: side,
      options: source
    )
  }

  private func setting(_ context: CommandContext) throws -> ReloadSetting {
    var setting = ReloadSetting(target: context.target, options: try merge.resolve(context))
    setting.stagingTarget = try context.stagingTarget(merge.staging.stagingDatabase)
    setting.cleansUp = setting.options.cleanup
    setting.keepsTask = keepTask
    try task.setLimits(&setting, context.configuration.dms)
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
    let (task, failure, source) = (task, failure, source)
    let (intoStaging, intoProduction) = (planner(context, .staging), planner(context, .production))
    steps.rowDocuments = { rows in try task.documents(intoStaging, rows: rows) }
    steps.validationDocuments = { tables, window in
      try task.validationDocuments(intoProduction, tables, window: window)
    }
    steps.failures = { arn in
      try failure.reader(context, sourceSchemas: source.sourceSchema, task: arn).read()
    }
    return steps
  }

  private static func summary(_ report: VerifyReport) -> String {
    let read = report.tables.reduce(0) { $0 + $1.counts.read }
    let differing = report.tables.reduce(0) { $0 + $1.counts.differenceCount }
    let extra = report.tables.reduce(0) { $0 + $1.extra.count }
    return switch report.status {
    case .blocked: "the tables can't be compared: merge-engine verify shows why"
    case .aborted: "interrupted"
    case .nothingCompared: "there was no row to compare"
    case .success, .partial, .different:
      "\(Numbers.counted(read, "row")) compared, \(Numbers.grouped(differing)) differ, "
        + "\(Numbers.grouped(extra)) in production only"
    }
  }
}
