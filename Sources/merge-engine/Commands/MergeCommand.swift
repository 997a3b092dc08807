import ArgumentParser
import MergeEngine

extension MergeOptions.Mark: ExpressibleByArgument {}
extension MergeOptions.NullRule: ExpressibleByArgument {}

/// `merge-engine [merge]`
struct MergeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merges staging into production: the newer version of a row wins. The default command."
  )

  @OptionGroup var database: DatabaseOptions

  @Option(help: ArgumentHelp("Staging rows to a transaction, about (default: 50000).", valueName: "rows"))
  var batch: Int?

  @Option(help: ArgumentHelp("Connections that merge side by side (default: 2).", valueName: "n"))
  var workers: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Everything in one transaction on one connection; a row that the server refuses then fails the whole run."
  )
  var atomic: Bool?

  @Option(help: "Mark merged staging rows: all or none (default: all).")
  var mark: MergeOptions.Mark?

  @Option(help: "A production row without a version: production-loses or strict (default: production-loses).")
  var nulls: MergeOptions.NullRule?

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
  var reconnectTimeout: Double?

  @Option(help: ArgumentHelp("Stop when more rows than this are refused; 0 stops at the first.", valueName: "n"))
  var maxErrors: Int?

  @Option(help: ArgumentHelp("Read no more staging rows than this in a second.", valueName: "n"))
  var maxRowsPerSecond: Int?

  @Option(help: ArgumentHelp("Pause while a standby is further behind than this.", valueName: "seconds"))
  var maxReplicaLag: Double?

  @Option(help: ArgumentHelp("The standby whose lag counts, by application_name (default: all).", valueName: "name"))
  var replica: String?

  @Option(
    help: ArgumentHelp(
      "Staging is in this database instead of --database: a libpq URI or keyword string.",
      valueName: "url"
    )
  )
  var stagingDatabase: String?

  @Flag(inversion: .prefixedNo, help: "Truncate the staging tables afterwards, if every row is merged.")
  var cleanup: Bool?

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stagingTarget = try context.stagingTarget(stagingDatabase)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await onThreadOfItsOwn {
      try MergeExecution(context: context, stagingTarget: stagingTarget, options: options, stop: stop).run()
    }
    withExtendedLifetime(interrupts) {}
    try MergeExecution.finish(report, stop)
  }

  private func resolve(_ context: CommandContext) throws -> MergeOptions {
    let file = context.configuration
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    options.batchRows = batch ?? file.batch ?? options.batchRows
    options.workers = workers ?? file.workers ?? options.workers
    options.atomic = atomic ?? file.atomic ?? options.atomic
    options.mark = try mark ?? CommandContext.choice(file.mark, key: "mark") ?? options.mark
    options.nulls = try nulls ?? CommandContext.choice(file.nulls, key: "nulls") ?? options.nulls
    options.from = from
    options.to = to
    options.lockTimeoutMilliseconds = lockTimeout ?? file.lockTimeout ?? options.lockTimeoutMilliseconds
    options.timeZone = timeZone ?? file.timeZone ?? options.timeZone
    options.cleanup = cleanup ?? file.cleanup ?? options.cleanup
    options.statementTimeoutMilliseconds =
      statementTimeout ?? file.statementTimeout ?? options.statementTimeoutMilliseconds
    options.reconnectLimitSeconds =
      reconnectTimeout ?? file.reconnectTimeout.map(Double.init) ?? options.reconnectLimitSeconds
    options.maxErrors = maxErrors ?? file.maxErrors
    options.maxRowsPerSecond = maxRowsPerSecond ?? file.maxRowsPerSecond
    options.maxReplicaLagSeconds = maxReplicaLag ?? file.maxReplicaLag.map(Double.init)
    options.replica = replica ?? file.replica
    try check(options)
    return options
  }

  private func check(_ options: MergeOptions) throws {
    func require(_ isRight: Bool, _ flag: String, _ value: some CustomStringConvertible, _ rule: String) throws {
      guard isRight else { throw MergeFailure.usage("\(flag) is \(value); it must be \(rule).") }
    }
    try require((1...10_000_000).contains(options.batchRows), "--batch", options.batchRows, "from 1 to 10000000 rows")
    try require((1...64).contains(options.workers), "--workers", options.workers, "from 1 to 64")
    let lockTimeout = options.lockTimeoutMilliseconds
    try require((0...Int(Int32.max)).contains(lockTimeout), "--lock-timeout", lockTimeout, "0 or more milliseconds")
    let timeout = options.statementTimeoutMilliseconds
    try require((0...Int(Int32.max)).contains(timeout), "--statement-timeout", timeout, "0 or more milliseconds")
    let patience = options.reconnectLimitSeconds
    try require(patience >= 0 && patience <= 1e6, "--reconnect-timeout", patience, "0 or more seconds")
    if let value = options.maxErrors { try require(value >= 0, "--max-errors", value, "0 or more rows") }
    if let value = options.maxRowsPerSecond { try require(value > 0, "--max-rows-per-second", value, "1 or more rows") }
    if let value = options.maxReplicaLagSeconds {
      try require(value > 0 && value <= 1e6, "--max-replica-lag", value, "more than 0 seconds")
    }
  }
}
