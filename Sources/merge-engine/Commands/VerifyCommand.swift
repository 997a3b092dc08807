import ArgumentParser
import MergeEngine

/// `merge-engine verify`
struct VerifyCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare types, then every merged staging row with production, then look for rows that staging lacks.",
    discussion: """
      Compares the rows that merges have read, or all rows with --mark none. A newer row in production is not a difference. Rows \
      that differ are checked again after a pause, since CDC may be in flight. The exit status is 65 when rows differ or are extra, \
      and when there was nothing to compare; differing types alone are only reported. Extra rows are searched for in the window of \
      --from and --to, by default that of the last run. SELECT is the only right needed. merge-engine repair FILE fixes what \
      --output FILE has listed.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @OptionGroup var comparison: ComparisonOptions

  @Option(help: "Compare the rows that have been merged (all, the default), or everything in staging (none).")
  var mark: MergeOptions.Mark?

  @Option(help: ArgumentHelp("Seconds after which differences are checked again (default: 5).", valueName: "seconds"))
  var recheckAfter: Double?

  @Option(
    name: [.customLong("samples"), .customLong("sample")],
    help: ArgumentHelp("Number of rows to show for each kind of difference.", valueName: "rows")
  )
  var samples = 5

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Write every difference to this file, one JSON object per line, for repair; or as a table if its name ends in .csv.",
      valueName: "file"
    )
  )
  var output: String?

  @Flag(help: "Leave the values of differing columns out of that file; keys and versions are in it all the same.")
  var noValues = false

  @OptionGroup var staging: StagingDatabaseOption

  @OptionGroup var nodes: NodesOption

  func validate() throws {
    guard !noValues || output != nil else {
      throw ValidationError("--no-values only has a meaning with --output FILE.")
    }
    guard output != "-" else {
      throw ValidationError("--output - would mix the differences with the result on stdout: name a file.")
    }
  }

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stagingTarget = try context.stagingTarget(staging.stagingDatabase)
    let nodeAddresses = nodes.addresses(context)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await Waiting.on("comparing", context) {
      var display = ProgressDisplay(context, .comparing)
      if let nodeAddresses {
        return try NodesVerification(
          target: context.target,
          stagingTarget: stagingTarget,
          addresses: nodeAddresses,
          options: options,
          logger: context.logger,
          stop: stop
        ).run { display.show($0) }
      }
      return try Verification(
        target: context.target,
        stagingTarget: stagingTarget,
        options: options,
        logger: context.logger,
        stop: stop
      ).run { display.show($0) }
    }
    withExtendedLifetime(interrupts) {}
    try show(report, context)
    switch report.status {
    case .success: break
    case .partial, .different, .nothingCompared: throw CommandEnd(status: .rowsRefused)
    case .blocked: throw CommandEnd(status: .blocked)
    case .aborted: throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
    }
  }

  private func resolve(_ context: CommandContext) throws -> VerifyOptions {
    let file = context.configuration
    var options = VerifyOptions()
    options.merge = try comparison.resolve(context)
    options.mark = mark ?? file.mark.flatMap { .init(rawValue: $0) }
    options.recheckAfterSeconds = recheckAfter ?? file.recheckAfter ?? options.recheckAfterSeconds
    options.sampleLimit = samples
    options.outputPath = output
    options.writesValues = !noValues
    try UsageCheck.typed(samples, MergeLimits.samples, flag: "--samples")
    try UsageCheck.range(
      options.recheckAfterSeconds,
      0...86_400,
      flag: "--recheck-after",
      rule: "from 0 to 86400 seconds"
    )
    return options
  }

  private func show(_ report: VerifyReport, _ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet || report.status == .blocked else { return }
    StandardOutput.write(VerifyTable(report: report, outputPath: output).rendered(StandardOutput.style))
  }
}
