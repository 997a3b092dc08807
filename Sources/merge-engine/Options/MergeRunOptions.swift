import ArgumentParser
import MergeEngine

extension MergeOptions.NullRule: ExpressibleByArgument {}
extension MergeOptions.TieRule: ExpressibleByArgument {}

/// How rows are merged, wherever they come from: what `merge` and `replay` have in common.
struct MergeRunOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Staging rows to a transaction, about (default: 50000).", valueName: "rows"))
  var batch: Int?

  @Option(help: ArgumentHelp("Connections that merge side by side (default: 2).", valueName: "n"))
  var workers: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Everything in one transaction on one connection; a row that the server refuses then fails the whole run."
  )
  var atomic: Bool?

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
    help: ArgumentHelp(
      "Wait so long for a lock at most, then try the batch again; 0 for ever (default: 10000).",
      valueName: "ms"
    )
  )
  var lockTimeout: Int?

  @Option(
    help: ArgumentHelp("The zone of times without one, where the other side has one (default: UTC).", valueName: "zone")
  )
  var timeZone: String?

  @Option(
    help: ArgumentHelp(
      "End a statement that takes longer, and try its batch again; 0 for never (default: 600000).",
      valueName: "ms"
    )
  )
  var statementTimeout: Int?

  @Option(help: ArgumentHelp("Try so long to make a lost connection again (default: 60).", valueName: "seconds"))
  var reconnectTimeout: Int?

  @Option(help: ArgumentHelp("Stop when more rows than this are refused; 0 stops at the first.", valueName: "n"))
  var maxErrors: Int?

  @Option(help: ArgumentHelp("Read no more staging rows than this in a second.", valueName: "n"))
  var maxRowsPerSecond: Int?

  @Option(help: ArgumentHelp("Pause while a standby is further behind than this.", valueName: "seconds"))
  var maxReplicaLag: Int?

  @Option(
    help: ArgumentHelp(
      "The standby whose lag counts, by application_name (default: all); while it is gone the merge waits.",
      valueName: "name"
    )
  )
  var replica: String?

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp("Write a report of the run to this HTML file at the end.", valueName: "file")
  )
  var reportPath: String?

  /// Flags, file and defaults brought together.
  func resolve(_ context: CommandContext) throws -> MergeOptions {
    let file = context.configuration
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    options.batchRows = batch ?? file.batch ?? options.batchRows
    options.workers = workers ?? file.workers ?? options.workers
    options.atomic = atomic ?? file.atomic ?? options.atomic
    options.nulls = nulls ?? file.nulls.flatMap { .init(rawValue: $0) } ?? options.nulls
    options.ties = ties ?? file.ties.flatMap { .init(rawValue: $0) } ?? options.ties
    options.from = from
    options.to = to
    options.lockTimeoutMilliseconds = lockTimeout ?? file.lockTimeout ?? options.lockTimeoutMilliseconds
    options.timeZone = timeZone ?? file.timeZone ?? options.timeZone
    options.statementTimeoutMilliseconds =
      statementTimeout ?? file.statementTimeout ?? options.statementTimeoutMilliseconds
    options.reconnectLimitSeconds = reconnectTimeout ?? file.reconnectTimeout ?? options.reconnectLimitSeconds
    options.maxErrors = maxErrors ?? file.maxErrors
    options.maxRowsPerSecond = maxRowsPerSecond ?? file.maxRowsPerSecond
    options.maxReplicaLagSeconds = maxReplicaLag ?? file.maxReplicaLag
    options.replica = replica ?? file.replica
    try checkTyped()
    return options
  }

  /// The file's values are checked where it is read, with their lines.
  private func checkTyped() throws {
    func check(_ typed: Int?, _ limits: ClosedRange<Int>, _ option: String) throws {
      guard let typed, !limits.contains(typed) else { return }
      throw MergeFailure.usage("\(option) is \(typed); it must be from \(limits.lowerBound) to \(limits.upperBound).")
    }
    try check(batch, MergeLimits.batchRows, "--batch")
    try check(workers, MergeLimits.workers, "--workers")
    try check(lockTimeout, MergeLimits.timeoutMilliseconds, "--lock-timeout")
    try check(statementTimeout, MergeLimits.timeoutMilliseconds, "--statement-timeout")
    try check(reconnectTimeout, MergeLimits.seconds, "--reconnect-timeout")
    try check(maxErrors, MergeLimits.refusedRows, "--max-errors")
    try check(maxRowsPerSecond, MergeLimits.rows, "--max-rows-per-second")
    try check(maxReplicaLag, MergeLimits.seconds, "--max-replica-lag")
  }
}
