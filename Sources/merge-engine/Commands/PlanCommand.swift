import ArgumentParser
import MergeEngine

/// `merge-engine plan`
struct PlanCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Dry run: the counts that merge would report, sample rows, blockers and warnings. Writes nothing.",
    discussion: """
      All sessions are read-only; a role that may SELECT from both schemas is enough. The counts are those of a merge \
      with one worker and the same options. Exit status 73 when something stands against the merge.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Option(help: ArgumentHelp("Sample rows of each verdict (default: 5).", valueName: "rows"))
  var samples = 5

  @Option(help: ArgumentHelp("Staging rows to a transaction of the merge, about (default: 50000).", valueName: "rows"))
  var batch: Int?

  @Option(help: ArgumentHelp("Connections of the merge, for its estimated time (default: 2).", valueName: "n"))
  var workers: Int?

  @Option(help: "Mark merged staging rows: all or none (default: all).")
  var mark: MergeOptions.Mark?

  @Option(help: "A production row without a version: production-loses or strict (default: production-loses).")
  var nulls: MergeOptions.NullRule?

  @Option(
    help: """
      A staging row as new as production's: skip, or compare all columns and update what differs (default: skip).
      """
  )
  var ties: MergeOptions.TieRule?

  @Option(help: ArgumentHelp("Only rows whose version is not before this.", valueName: "time"))
  var from: String?

  @Option(help: ArgumentHelp("Only rows whose version is before this.", valueName: "time"))
  var to: String?

  @Option(
    help: ArgumentHelp("The zone of times without one, where the other side has one (default: UTC).", valueName: "zone")
  )
  var timeZone: String?

  @Option(
    help: ArgumentHelp("End a statement that takes longer; 0 for never (default: 600000).", valueName: "ms")
  )
  var statementTimeout: Int?

  @Option(
    help: ArgumentHelp(
      "Staging is in this database instead of --database: a libpq URI or keyword string.",
      valueName: "url"
    )
  )
  var stagingDatabase: String?

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stagingTarget = try context.stagingTarget(stagingDatabase)
    let sampleLimit = samples
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await onThreadOfItsOwn {
      var display = ProgressDisplay(context.isQuiet ? .silent : .log, logger: context.logger)
      return try DryRun(
        target: context.target,
        stagingTarget: stagingTarget,
        options: options,
        sampleLimit: sampleLimit,
        logger: context.logger,
        stop: stop
      ).run { display.show($0) }
    }
    withExtendedLifetime(interrupts) {}
    try show(report, context)
    switch report.status {
    case .success: return
    case .blocked: throw CommandEnd(status: .blocked)
    case .aborted: throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
    }
  }

  private func resolve(_ context: CommandContext) throws -> MergeOptions {
    let file = context.configuration
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    options.batchRows = batch ?? file.batch ?? options.batchRows
    options.workers = workers ?? file.workers ?? options.workers
    options.mark = mark ?? file.mark.flatMap { .init(rawValue: $0) } ?? options.mark
    options.nulls = nulls ?? file.nulls.flatMap { .init(rawValue: $0) } ?? options.nulls
    options.ties = ties ?? file.ties.flatMap { .init(rawValue: $0) } ?? options.ties
    options.from = from
    options.to = to
    options.lockTimeoutMilliseconds = file.lockTimeout ?? options.lockTimeoutMilliseconds
    options.statementTimeoutMilliseconds =
      statementTimeout ?? file.statementTimeout ?? options.statementTimeoutMilliseconds
    options.timeZone = timeZone ?? file.timeZone ?? options.timeZone
    options.maxRowsPerSecond = file.maxRowsPerSecond
    try UsageCheck.range(samples, 0...1000, "--samples", "from 0 to 1000 rows")
    try UsageCheck.range(options.batchRows, 1...10_000_000, "--batch", "from 1 to 10000000 rows")
    try UsageCheck.range(options.workers, 1...64, "--workers", "from 1 to 64")
    try UsageCheck.range(
      options.statementTimeoutMilliseconds,
      0...Int(Int32.max),
      "--statement-timeout",
      "0 or more milliseconds"
    )
    return options
  }

  private func show(_ report: PlanReport, _ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet || report.status == .blocked else { return }
    StandardOutput.write(PlanTable(report: report).rendered(Style(isTerminal: StandardOutput.isTerminal)))
  }
}
