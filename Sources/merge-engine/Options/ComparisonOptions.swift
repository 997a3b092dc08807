import ArgumentParser
import MergeEngine

extension MergeOptions.NullRule: ExpressibleByArgument {}

/// Which staging rows are compared with production, and how: what `merge`, `replay`, `plan` and `verify` have in common.
struct ComparisonOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Most staging rows in one transaction (default: 50000).", valueName: "rows"))
  var batch: Int?

  @Option(
    help: ArgumentHelp(
      "Number of connections that work in parallel, or auto: a merge begins with 2 and adds more while that pays (default: auto).",
      valueName: "n|auto"
    )
  )
  var workers: WorkerChoice?

  @Option(
    help: "What to do with a production row without a version: production-loses or strict (default: production-loses)."
  )
  var nulls: MergeOptions.NullRule?

  @Option(help: ArgumentHelp("Only rows whose version is at or after this time.", valueName: "time"))
  var from: String?

  @Option(help: ArgumentHelp("Only rows whose version is before this time.", valueName: "time"))
  var to: String?

  @Option(
    help: ArgumentHelp(
      "Time zone of times without one, where the other side has one (default: UTC).",
      valueName: "zone"
    )
  )
  var timeZone: String?

  @Option(
    help: ArgumentHelp(
      "Cancel a statement that takes longer, and retry its batch; 0 for never (default: 600000).",
      valueName: "ms"
    )
  )
  var statementTimeout: Int?

  /// Flags, file and defaults brought together.
  func resolve(_ context: CommandContext) throws -> MergeOptions {
    let file = context.configuration
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    options.batchRows = batch ?? file.batch ?? options.batchRows
    options.workers = (workers ?? file.workers ?? .auto).count
    options.nulls = nulls ?? file.nulls.flatMap { .init(rawValue: $0) } ?? options.nulls
    options.from = from
    options.to = to
    options.timeZone = timeZone ?? file.timeZone ?? options.timeZone
    options.timeZoneIsConfigured = timeZone == nil && file.timeZone != nil
    options.statementTimeoutMilliseconds =
      statementTimeout ?? file.statementTimeout ?? options.statementTimeoutMilliseconds
    try UsageCheck.typed(batch, MergeLimits.batchRows, flag: "--batch")
    try UsageCheck.typed(workers?.count, MergeLimits.workers, flag: "--workers")
    try UsageCheck.typed(statementTimeout, MergeLimits.timeoutMilliseconds, flag: "--statement-timeout")
    return options
  }
}
