import ArgumentParser
import MergeEngine

/// `merge-engine plan`
struct PlanCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Dry run: show the counts that merge would report, sample rows, blockers and warnings. Writes nothing.",
    discussion: """
      All sessions are read-only; a role that may SELECT from both schemas is enough. The counts are those of a merge \
      with one worker and the same options. The exit status is 73 if anything blocks the merge.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Option(
    help: ArgumentHelp(
      "Sample rows of each verdict, a line each; 0 for none (default: 1, and 5 with --json).",
      valueName: "rows"
    )
  )
  var samples: Int?

  @OptionGroup var comparison: ComparisonOptions

  @Option(help: "As for merge: whether the status column would be kept, all or none (default: all).")
  var mark: MergeOptions.Mark?

  @Option(
    help: """
      What to do with a staging row as new as production's: skip it, or compare all columns and update on a difference (default: skip).
      """
  )
  var ties: MergeOptions.TieRule?

  @Flag(help: "As for merge: read everything in staging again, including what is already merged.")
  var again = false

  @OptionGroup var staging: StagingDatabaseOption

  @OptionGroup var nodes: NodesOption

  @Flag(inversion: .prefixedNo, help: "As for merge: also report what would prevent before-images from being kept.")
  var beforeImages: Bool?

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stagingTarget = try context.stagingTarget(staging.stagingDatabase)
    let sampleLimit = samples ?? (context.writesJSON ? 5 : 1)
    let nodeAddresses = nodes.addresses(context)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await onThreadOfItsOwn {
      var display = ProgressDisplay(context, .planning)
      Waiting.show("preparing", context)
      defer { LiveArea.shared.end() }
      if let nodeAddresses {
        return try NodesDryRun(
          target: context.target,
          stagingTarget: stagingTarget,
          addresses: nodeAddresses,
          options: options,
          sampleLimit: sampleLimit,
          logger: context.logger,
          stop: stop
        ).run { display.show($0) }
      }
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
    case .success: break
    case .partial: throw CommandEnd(status: .rowsRefused)
    case .blocked: throw CommandEnd(status: .blocked)
    case .aborted: throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
    }
  }

  private func resolve(_ context: CommandContext) throws -> MergeOptions {
    let file = context.configuration
    var options = try comparison.resolve(context)
    options.mark = mark ?? file.mark.flatMap { .init(rawValue: $0) } ?? options.mark
    options.again = again
    options.beforeImages = beforeImages ?? file.beforeImages ?? options.beforeImages
    options.ties = ties ?? file.ties.flatMap { .init(rawValue: $0) } ?? options.ties
    options.lockTimeoutMilliseconds = file.lockTimeout ?? options.lockTimeoutMilliseconds
    options.maxRowsPerSecond = file.maxRowsPerSecond
    try UsageCheck.typed(samples, MergeLimits.samples, flag: "--samples")
    return options
  }

  private func show(_ report: PlanReport, _ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet || report.status == .blocked else { return }
    StandardOutput.write(PlanTable(report: report).rendered(StandardOutput.style))
  }
}
