import ArgumentParser
import MergeEngine

/// `merge-engine errors`
struct ErrorsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errors",
    abstract: "List, retry or dismiss the staging rows that the server refused.",
    subcommands: [ErrorsListCommand.self, ErrorsRetryCommand.self, ErrorsDismissCommand.self]
  )
}

/// The options that both commands share.
struct ErrorsOptions: ParsableArguments {
  @OptionGroup var database: DatabaseOptions

  @Option(help: ArgumentHelp("Only rows refused with this code, such as 23503.", valueName: "code"))
  var sqlstate: String?

  @Option(help: ArgumentHelp("The database that staging is in, if not --database.", valueName: "url"))
  var stagingDatabase: String?

  func browser(_ context: CommandContext) throws -> QuarantineBrowser {
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    return QuarantineBrowser(
      target: context.target,
      stagingTarget: try context.stagingTarget(stagingDatabase),
      options: options,
      logger: context.logger
    )
  }
}

/// `merge-engine errors list`
struct ErrorsListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List refused rows with key, reason and time."
  )

  @OptionGroup var options: ErrorsOptions

  @Option(help: ArgumentHelp("List no more rows than this.", valueName: "rows"))
  var limit = 100

  func run() async throws {
    guard limit > 0 else { throw MergeFailure.usage("--limit is \(limit); it must be 1 or more.") }
    let context = try CommandContext(options.database)
    let browser = try options.browser(context)
    let rows = try await Waiting.on("reading", context) { try browser.list(sqlState: options.sqlstate, limit: limit) }
    if context.writesJSON { return try StandardOutput.write(json: ["errors": rows]) }
    guard !rows.isEmpty else { return StandardOutput.write("No refused rows.\n") }
    var table = TextTable([.number("run"), .text("table"), .text("key"), .text("sqlstate"), .text("message")])
    for row in rows { table.add(["\(row.runID)", row.table, row.key, row.sqlState, row.message]) }
    StandardOutput.write(table.rendered(StandardOutput.style))
    if rows.count == limit { StandardOutput.write("There may be more: --limit.\n") }
  }
}

/// `merge-engine errors retry`
struct ErrorsRetryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Have the next merge read refused rows again."
  )

  @OptionGroup var options: ErrorsOptions

  func run() async throws {
    let context = try CommandContext(options.database)
    let browser = try options.browser(context)
    let (released, replayedCount) = try await Waiting.on("releasing", context) {
      (try browser.retry(sqlState: options.sqlstate), try browser.countReplayed(sqlState: options.sqlstate))
    }
    if replayedCount > 0 {
      context.logger.warning(
        "\(Numbers.counted(replayedCount, "refused row")) came from a snapshot, not from staging: merge-engine replay tries again"
      )
    }
    if context.writesJSON { return try StandardOutput.write(json: ["released": released]) }
    guard !context.isQuiet else { return }
    guard released.values.contains(where: { $0 > 0 }) else {
      return StandardOutput.write(replayedCount > 0 ? "No refused rows of staging.\n" : "No refused rows.\n")
    }
    for (table, count) in released.sorted(by: { $0.key < $1.key }) {
      StandardOutput.write(
        "\(table): \(Numbers.counted(count, "row")) will be read again. Run merge-engine to try.\n"
      )
    }
  }
}

/// `merge-engine errors dismiss`
struct ErrorsDismissCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dismiss",
    abstract: "Accept refused rows, with a reason: they no longer keep a run from succeeding."
  )

  @OptionGroup var options: ErrorsOptions

  @Option(help: ArgumentHelp("Why these rows need not be merged; recorded with them.", valueName: "text"))
  var reason: String

  func run() async throws {
    guard reason.contains(where: { !$0.isWhitespace }) else { throw MergeFailure.usage("--reason is empty.") }
    let context = try CommandContext(options.database)
    let browser = try options.browser(context)
    let count = try await Waiting.on("dismissing", context) {
      try browser.dismiss(sqlState: options.sqlstate, because: reason)
    }
    if context.writesJSON { return try StandardOutput.write(json: ["dismissed": count]) }
    guard !context.isQuiet else { return }
    StandardOutput.write("\(Numbers.counted(count, "refused row")) dismissed.\n")
  }
}
