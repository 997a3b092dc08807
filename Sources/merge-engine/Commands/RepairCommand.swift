import ArgumentParser
import Foundation
import MergeEngine

/// `merge-engine repair FILE`
struct RepairCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair",
    abstract: "Apply the file that verify --output wrote: each row gets staging's values, unless it has changed since.",
    discussion: """
      Missing rows are inserted, outdated and differing ones overwritten; extra ones are deleted only with --kind extra. Lines other \
      than the first and the last may be removed from the file by hand beforehand. A row that anyone has changed since it was \
      compared, in production or in staging, is left alone and listed, and the exit status is 65. A repair is a run of its own, with \
      before-images: merge-engine rollback undoes it, and merge-engine control steers it.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Argument(help: ArgumentHelp("The file of differences that verify --output wrote.", valueName: "file"))
  var path: String

  @Flag(help: "Write nothing; count what would be inserted, updated, deleted and left alone.")
  var plan = false

  @Option(
    help: ArgumentHelp(
      "The kinds of differences to mend, separated by commas: missing, outdated, differing, extra (default: all but extra).",
      valueName: "kinds"
    )
  )
  var kind: [String] = []

  @Option(
    help: ArgumentHelp(
      "Delete no extra rows if they exceed this share of production's rows in the window (default: 1).",
      valueName: "percent"
    )
  )
  var maxExtraPercent: Double?

  @Option(
    help: ArgumentHelp("Rows in one transaction (default: \(RepairOptions.defaultBatchRows)).", valueName: "rows")
  )
  var batch: Int?

  @Option(help: ArgumentHelp("Number of connections that work in parallel (default: 2).", valueName: "n"))
  var workers: Int?

  @Option(help: ArgumentHelp("How many of the rows left alone to list for each table.", valueName: "rows"))
  var samples = 20

  @OptionGroup var staging: StagingDatabaseOption

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stagingTarget = try context.stagingTarget(staging.stagingDatabase)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await Waiting.on(plan ? "looking" : "repairing", context) {
      try Repair(
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

  private func resolve(_ context: CommandContext) throws -> RepairOptions {
    let file = context.configuration
    var options = RepairOptions(path: path)
    options.isDryRun = plan
    options.sampleLimit = samples
    options.kinds = try kinds()
    options.maxExtraPercent = maxExtraPercent ?? file.maxExtraPercent ?? options.maxExtraPercent
    options.merge.schemas = context.schemas
    options.merge.tables = database.table.isEmpty ? nil : database.table
    options.merge.columns = context.columns
    options.merge.batchRows = batch ?? options.merge.batchRows
    options.merge.workers = workers ?? file.workers?.count
    options.merge.lockTimeoutMilliseconds = file.lockTimeout ?? options.merge.lockTimeoutMilliseconds
    options.merge.maxLockMilliseconds = file.maxLockTime ?? options.merge.maxLockMilliseconds
    options.merge.statementTimeoutMilliseconds = file.statementTimeout ?? options.merge.statementTimeoutMilliseconds
    options.merge.timeZone = file.timeZone ?? options.merge.timeZone
    options.merge.timeZoneIsConfigured = file.timeZone != nil
    try UsageCheck.typed(samples, MergeLimits.samples, flag: "--samples")
    try UsageCheck.typed(batch, MergeLimits.batchRows, flag: "--batch")
    try UsageCheck.typed(workers, MergeLimits.workers, flag: "--workers")
    try UsageCheck.range(options.maxExtraPercent, 0...100, flag: "--max-extra-percent", rule: "from 0 to 100")
    return options
  }

  private func kinds() throws -> [DifferenceKind] {
    guard !kind.isEmpty else { return RepairOptions.defaultKinds }
    let names = kind.flatMap { text in
      // An empty text is a variable that was not set, and asks for no kind.
      text.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
    }
    let possible = RepairOptions.possibleKinds.map(\.rawValue).joined(separator: ", ")
    return try names.map { name in
      guard let kind = DifferenceKind(rawValue: name), RepairOptions.possibleKinds.contains(kind) else {
        let what =
          name.isEmpty ? "--kind names no kind; these can be mended" : "--kind \(name) can't be mended; these can"
        throw MergeFailure.usage("\(what): \(possible).")
      }
      return kind
    }
  }

  private func show(_ report: RepairReport, _ context: CommandContext) throws {
    for failure in report.failures { StandardError.write(failure: [failure], context.logFormat) }
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet else { return }
    StandardOutput.write(RepairTable(report: report).rendered(StandardOutput.style))
  }
}
