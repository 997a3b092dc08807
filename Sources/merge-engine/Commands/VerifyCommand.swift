import ArgumentParser
import MergeEngine

extension VerifyOptions.ExtraRule: ExpressibleByArgument {}

/// `merge-engine verify`
struct VerifyCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compares types, then every merged staging row with production, then looks for rows that staging lacks.",
    discussion: """
      Merged rows are those marked PROCESSED, or all with --mark none. Production newer than staging is no difference. \
      What differs is looked at again after a pause, since CDC may be in flight. Exit status 65 when rows differ or are \
      extra; different types alone are only told. Reads with SELECT alone, but for --extra delete.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Option(help: ArgumentHelp("Connections that compare side by side (default: 2).", valueName: "n"))
  var workers: Int?

  @Option(help: ArgumentHelp("Staging rows to a batch, about (default: 50000).", valueName: "rows"))
  var batch: Int?

  @Option(help: "Merged rows are marked: all, or none (default: as in the last run).")
  var mark: MergeOptions.Mark?

  @Option(help: "A production row without a version: production-loses or strict (default: production-loses).")
  var nulls: MergeOptions.NullRule?

  @Option(
    help: ArgumentHelp(
      "Only rows whose version is not before this; for extra rows by default that of the last run.",
      valueName: "time"
    )
  )
  var from: String?

  @Option(
    help: ArgumentHelp(
      "Only rows whose version is before this; for extra rows by default that of the last run.",
      valueName: "time"
    )
  )
  var to: String?

  @Option(help: ArgumentHelp("Look at differences again after so long (default: 5).", valueName: "seconds"))
  var recheckAfter: Double?

  @Option(help: ArgumentHelp("Rows to show of each kind of difference (default: 5).", valueName: "rows"))
  var samples = 5

  @Option(
    help: """
      Production rows inside the window that staging lacks: report, or delete, which needs a window with both ends, and \
      never happens while staging is empty (default: report).
      """
  )
  var extra: VerifyOptions.ExtraRule?

  @Option(
    help: ArgumentHelp(
      "Delete no extra rows when they are more than this share of production's rows in the window (default: 1).",
      valueName: "percent"
    )
  )
  var maxExtraPercent: Double?

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
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await onThreadOfItsOwn {
      try Verification(
        target: context.target,
        stagingTarget: stagingTarget,
        options: options,
        logger: context.logger,
        stop: stop
      ).run()
    }
    withExtendedLifetime(interrupts) {}
    try show(report, context)
    switch report.status {
    case .success: return
    case .different: throw CommandEnd(status: .rowsRefused)
    case .blocked: throw CommandEnd(status: .blocked)
    case .aborted: throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
    }
  }

  private func resolve(_ context: CommandContext) throws -> VerifyOptions {
    let file = context.configuration
    var options = VerifyOptions()
    options.merge.schemas = context.schemas
    options.merge.tables = context.tables
    options.merge.columns = context.columns
    options.merge.batchRows = batch ?? file.batch ?? options.merge.batchRows
    options.merge.workers = workers ?? file.workers ?? options.merge.workers
    options.merge.nulls = nulls ?? file.nulls.flatMap { .init(rawValue: $0) } ?? options.merge.nulls
    options.merge.from = from
    options.merge.to = to
    options.merge.timeZone = timeZone ?? file.timeZone ?? options.merge.timeZone
    options.merge.statementTimeoutMilliseconds =
      statementTimeout ?? file.statementTimeout ?? options.merge.statementTimeoutMilliseconds
    options.mark = mark ?? file.mark.flatMap { .init(rawValue: $0) }
    options.recheckAfterSeconds = recheckAfter ?? file.recheckAfter ?? options.recheckAfterSeconds
    options.sampleLimit = samples
    options.extra = extra ?? file.extra.flatMap { .init(rawValue: $0) } ?? options.extra
    options.maxExtraPercent = maxExtraPercent ?? file.maxExtraPercent ?? options.maxExtraPercent
    try UsageCheck.range(options.merge.batchRows, 1...10_000_000, "--batch", "from 1 to 10000000 rows")
    try UsageCheck.range(options.merge.workers, 1...64, "--workers", "from 1 to 64")
    try UsageCheck.range(samples, 0...1000, "--samples", "from 0 to 1000 rows")
    try UsageCheck.range(options.recheckAfterSeconds, 0...86_400, "--recheck-after", "from 0 to 86400 seconds")
    try UsageCheck.range(options.maxExtraPercent, 0...100, "--max-extra-percent", "from 0 to 100")
    try UsageCheck.range(
      options.merge.statementTimeoutMilliseconds,
      0...Int(Int32.max),
      "--statement-timeout",
      "0 or more milliseconds"
    )
    return options
  }

  private func show(_ report: VerifyReport, _ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet || report.status == .blocked else { return }
    StandardOutput.write(VerifyTable(report: report).rendered(Style(isTerminal: StandardOutput.isTerminal)))
  }
}
