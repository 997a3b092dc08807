import ArgumentParser
import MergeEngine

/// `merge-engine rollback RUN`
struct RollbackCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback",
    abstract: "Undo a run that was merged with --before-images; rows changed since then are left alone.",
    discussion: """
      Old rows are restored and inserted rows deleted, in batches; the next merge reads the staging rows they came from again. A row that \
      anyone has changed or deleted since, that something refers to, or that the server refuses, is left alone and listed; the exit \
      status is then 65, and the rollback can be run again. Roll back later runs that changed the same rows first.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Argument(help: ArgumentHelp("The run's id, as merge and status show it.", valueName: "run"))
  var runID: Int

  @Flag(help: "Write nothing; count what would be restored, deleted and left alone.")
  var plan = false

  @Option(
    help: ArgumentHelp(
      "Approximate number of rows in one transaction (default: \(RollbackOptions.defaultBatchRows)).",
      valueName: "rows"
    )
  )
  var batch: Int?

  @Option(
    help: ArgumentHelp("How many of the rows left alone to list for each table.", valueName: "rows")
  )
  var samples = 20

  @Option(
    help: ArgumentHelp(
      "Wait no longer than this for a lock, then retry the batch; 0 for no limit (default: 10000).",
      valueName: "ms"
    )
  )
  var lockTimeout: Int?

  @Option(
    help: ArgumentHelp("Cancel a statement that takes longer; 0 for never (default: 600000).", valueName: "ms")
  )
  var statementTimeout: Int?

  @OptionGroup var staging: StagingDatabaseOption

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stagingTarget = try context.stagingTarget(staging.stagingDatabase)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await Waiting.on(plan ? "looking" : "rolling back", context) {
      try Rollback(
        target: context.target,
        stagingTarget: stagingTarget,
        options: options,
        logger: context.logger,
        stop: stop
      ).run()
    }
    withExtendedLifetime(interrupts) {}
    try show(report, context)
    try ExitStatus(report.status, stop).end()
  }

  private func resolve(_ context: CommandContext) throws -> RollbackOptions {
    let file = context.configuration
    var options = RollbackOptions(runID: runID)
    options.isDryRun = plan
    options.sampleLimit = samples
    options.merge.schemas = context.schemas
    options.merge.tables = database.table.isEmpty ? nil : database.table
    options.merge.columns = context.columns
    options.merge.batchRows = batch ?? options.merge.batchRows
    options.merge.lockTimeoutMilliseconds = lockTimeout ?? file.lockTimeout ?? options.merge.lockTimeoutMilliseconds
    options.merge.statementTimeoutMilliseconds =
      statementTimeout ?? file.statementTimeout ?? options.merge.statementTimeoutMilliseconds
    options.merge.timeZone = file.timeZone ?? options.merge.timeZone
    options.merge.timeZoneIsConfigured = file.timeZone != nil
    try UsageCheck.typed(samples, MergeLimits.samples, flag: "--samples")
    try UsageCheck.typed(batch, MergeLimits.batchRows, flag: "--batch")
    try UsageCheck.typed(lockTimeout, MergeLimits.timeoutMilliseconds, flag: "--lock-timeout")
    try UsageCheck.typed(statementTimeout, MergeLimits.timeoutMilliseconds, flag: "--statement-timeout")
    return options
  }

  private func show(_ report: RollbackReport, _ context: CommandContext) throws {
    for failure in report.failures { StandardError.write(failure: [failure], context.logFormat) }
    for warning in report.warnings { context.logger.warning("\(warning)") }
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet else { return }
    StandardOutput.write(RollbackOutput(report: report).rendered(StandardOutput.style))
  }
}
