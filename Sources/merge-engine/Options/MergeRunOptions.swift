import ArgumentParser
import MergeEngine

extension MergeOptions.TieRule: ExpressibleByArgument {}

/// How rows are merged, wherever they come from: what `merge` and `replay` have in common.
struct MergeRunOptions: ParsableArguments {
  @OptionGroup var comparison: ComparisonOptions

  @Flag(
    inversion: .prefixedNo,
    help: "Merge everything in one transaction on one connection; a row that the server refuses fails the whole run."
  )
  var atomic: Bool?

  @Flag(
    inversion: .prefixedNo,
    help: "Keep what is overwritten, and the keys of what is inserted, so that rollback can undo the run."
  )
  var beforeImages: Bool?

  @Option(
    help: """
      What to do with a staging row as new as production's: skip it, or compare all columns and update on a difference (default: skip).
      """
  )
  var ties: MergeOptions.TieRule?

  @Option(
    help: ArgumentHelp(
      "Wait no longer than this for a lock, then retry the batch; 0 for no limit (default: 10000).",
      valueName: "ms"
    )
  )
  var lockTimeout: Int?

  @Option(
    help: ArgumentHelp(
      "Hold row locks on production no longer than this; batches get smaller if needed (default: 500).",
      valueName: "ms"
    )
  )
  var maxLockTime: Int?

  @Option(
    help: ArgumentHelp("Keep trying to restore a lost connection for this long (default: 60).", valueName: "seconds")
  )
  var reconnectTimeout: Int?

  @Option(help: ArgumentHelp("Stop when more rows than this are refused; 0 stops at the first one.", valueName: "n"))
  var maxErrors: Int?

  @Option(help: ArgumentHelp("Read at most this many staging rows per second.", valueName: "n"))
  var maxRowsPerSecond: Int?

  @Option(help: ArgumentHelp("Pause while a standby lags further behind than this.", valueName: "seconds"))
  var maxReplicaLag: Int?

  @Option(
    help: ArgumentHelp(
      "The standby whose lag counts, by its application_name (default: all); while it is away the merge waits.",
      valueName: "name"
    )
  )
  var replica: String?

  @Option(
    help: ArgumentHelp(
      "Start no batch while this query, run on production's database every few seconds, returns true.",
      valueName: "sql"
    )
  )
  var pauseWhile: String?

  @Option(
    help: ArgumentHelp(
      "Start no batch outside these hours, by this machine's clock, such as 22:00-05:00.",
      valueName: "from-to"
    )
  )
  var window: String?

  @Option(
    help: ArgumentHelp(
      "Run this shell command when the run is over, or could not begin, with its JSON on stdin and MERGE_ENGINE_STATUS, "
        + "MERGE_ENGINE_EXIT_STATUS and MERGE_ENGINE_RUN_ID in its environment.",
      valueName: "command"
    )
  )
  var onEnd: String?

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp("At the end, write a report of the run to this HTML file.", valueName: "file")
  )
  var reportPath: String?

  /// Whom to tell when the run is over.
  func endCommand(_ context: CommandContext) -> OnEndCommand? {
    (onEnd ?? context.configuration.onEnd).map { OnEndCommand($0, logger: context.logger) }
  }

  /// Flags, file and defaults brought together.
  func resolve(_ context: CommandContext) throws -> MergeOptions {
    let file = context.configuration
    var options = try comparison.resolve(context)
    options.atomic = atomic ?? file.atomic ?? options.atomic
    options.beforeImages = beforeImages ?? file.beforeImages ?? options.beforeImages
    options.ties = ties ?? file.ties.flatMap { .init(rawValue: $0) } ?? options.ties
    options.lockTimeoutMilliseconds = lockTimeout ?? file.lockTimeout ?? options.lockTimeoutMilliseconds
    options.maxLockMilliseconds = maxLockTime ?? file.maxLockTime ?? options.maxLockMilliseconds
    options.reconnectLimitSeconds = reconnectTimeout ?? file.reconnectTimeout ?? options.reconnectLimitSeconds
    options.maxErrors = maxErrors ?? file.maxErrors
    options.maxRowsPerSecond = maxRowsPerSecond ?? file.maxRowsPerSecond
    options.maxReplicaLagSeconds = maxReplicaLag ?? file.maxReplicaLag
    options.replica = replica ?? file.replica
    options.pauseWhile = pauseWhile ?? file.pauseWhile
    options.window = try (window ?? file.window).map { text in
      guard let window = DailyWindow(text) else {
        throw MergeFailure.usage("--window \(text) is not a time window: write it as 22:00-05:00.")
      }
      return window
    }
    try UsageCheck.typed(lockTimeout, MergeLimits.timeoutMilliseconds, flag: "--lock-timeout")
    try UsageCheck.typed(maxLockTime, MergeLimits.lockMilliseconds, flag: "--max-lock-time")
    try UsageCheck.typed(reconnectTimeout, MergeLimits.seconds, flag: "--reconnect-timeout")
    try UsageCheck.typed(maxErrors, MergeLimits.refusedRows, flag: "--max-errors")
    try UsageCheck.typed(maxRowsPerSecond, MergeLimits.rows, flag: "--max-rows-per-second")
    try UsageCheck.typed(maxReplicaLag, MergeLimits.seconds, flag: "--max-replica-lag")
    return options
  }
}
