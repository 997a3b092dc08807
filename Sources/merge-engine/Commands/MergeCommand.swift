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

  @Flag(inversion: .prefixedNo, help: "Truncate the staging tables afterwards, if every row is merged.")
  var cleanup: Bool?

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await onThreadOfItsOwn {
      try MergeExecution(context: context, options: options, stop: stop).run()
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
    guard (1...10_000_000).contains(options.batchRows) else {
      throw MergeFailure.usage("--batch is \(options.batchRows); it must be from 1 to 10000000 rows.")
    }
    guard (1...64).contains(options.workers) else {
      throw MergeFailure.usage("--workers is \(options.workers); it must be from 1 to 64.")
    }
    guard options.lockTimeoutMilliseconds >= 0 else {
      throw MergeFailure.usage(
        "--lock-timeout is \(options.lockTimeoutMilliseconds); it must be 0 or more milliseconds."
      )
    }
    return options
  }
}
