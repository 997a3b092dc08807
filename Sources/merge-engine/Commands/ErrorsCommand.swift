import ArgumentParser
import MergeEngine

/// `merge-engine errors`
struct ErrorsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errors",
    abstract: "List, retry or dismiss the staging rows that the server refused.",
    discussion: "Rows that nodes of Citus have refused (merge --on-nodes) are among them: the nodes are asked, too.",
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

  func browser(_ context: CommandContext) throws -> NodesQuarantine {
    guard sqlstate?.wholeMatch(of: /[0-9A-Z]{5}/) != nil || sqlstate == nil else {
      throw MergeFailure.usage("--sqlstate is a code of five digits or capitals, such as 23503.")
    }
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    return NodesQuarantine(
      target: context.target,
      stagingTarget: try context.stagingTarget(stagingDatabase),
      addresses: NodeAddresses(context.configuration.citusNodes),
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

  @Flag(help: "List the rows that were dismissed instead.")
  var dismissed = false

  func run() async throws {
    guard limit > 0 else { throw MergeFailure.usage("--limit is \(limit); it must be 1 or more.") }
    let context = try CommandContext(options.database)
    let browser = try options.browser(context)
    let (rows, dismissedCount, replayedCount) = try await Waiting.on("reading", context) {
      (
        try browser.list(dismissed ? .dismissed : .standing, sqlState: options.sqlstate, limit: limit),
        try browser.count(.dismissed, sqlState: options.sqlstate),
        try browser.countReplayed(sqlState: options.sqlstate)
      )
    }
    if context.writesJSON { return try StandardOutput.write(json: ["errors": rows]) }
    if !rows.isEmpty { StandardOutput.write(table(of: rows).rendered(StandardOutput.style)) }
    StandardOutput.write(whatNext(rows.count, dismissedCount, ofSnapshots: replayedCount))
  }

  private func table(of rows: [RefusedRow]) -> TextTable {
    let isOfNodes = rows.contains { $0.node != nil }
    var table = TextTable(
      (isOfNodes ? [.text("node")] : []) + [
        .number("run"), .text("at (UTC)"), .text("table"), .text("key"), .text("sqlstate"),
        .text(dismissed ? "dismissed because" : "reason"),
      ]
    )
    for row in rows {
      let reason = ([row.message] + (row.detail.map { [$0] } ?? [])).joined(separator: ". ")
      let time = row.failedAt.prefix(19).replacing("T", with: " ")
      table.add(
        (isOfNodes ? [row.node ?? "-"] : [])
          + ["\(row.runID)", String(time), row.table, row.keyText, row.sqlState, row.dismissedBecause ?? reason]
      )
    }
    return table
  }

  private func whatNext(_ count: Int, _ dismissedCount: Int, ofSnapshots replayedCount: Int) -> TerminalText {
    let more: TerminalText = count == limit ? "There may be more: raise --limit.\n" : ""
    if dismissed {
      return count == 0
        ? "No dismissed rows.\n" : more + "errors retry --dismissed has the next merge read them again.\n"
    }
    let others: TerminalText =
      dismissedCount > 0 ? " (\(Numbers.counted(dismissedCount, "row")) dismissed: errors list --dismissed.)" : ""
    guard count > 0 else { return "No refused rows.\(others)\n" }
    let retry: TerminalText = "merge-engine errors retry, then merge-engine"
    let replay: TerminalText = "merge-engine replay with the same snapshot"
    let next: TerminalText =
      replayedCount == 0
      ? retry
      : replayedCount >= count
        ? replay : "\(retry); for the \(Numbers.counted(replayedCount, "row")) of a snapshot, \(replay)"
    return more + "When the cause is fixed: \(next).\(others)\n"
  }
}

/// `merge-engine errors retry`
struct ErrorsRetryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Have the next merge read refused rows again."
  )

  @OptionGroup var options: ErrorsOptions

  @Flag(help: "Have the rows that were dismissed read again instead.")
  var dismissed = false

  func run() async throws {
    let context = try CommandContext(options.database)
    let browser = try options.browser(context)
    let (released, replayedCount, dismissedCount) = try await Waiting.on("releasing", context) {
      (
        try browser.retry(dismissed ? .dismissed : .standing, sqlState: options.sqlstate),
        try browser.countReplayed(sqlState: options.sqlstate),
        try browser.count(.dismissed, sqlState: options.sqlstate)
      )
    }
    if replayedCount > 0 {
      context.logger.warning(
        "\(Numbers.counted(replayedCount, "refused row")) came from a snapshot, not from staging: merge-engine replay tries again"
      )
    }
    if context.writesJSON {
      return try StandardOutput.write(json: Retried(released: released, dismissed: dismissedCount))
    }
    guard !context.isQuiet else { return }
    if released.values.contains(where: { $0 > 0 }) {
      for (table, count) in released.sorted(by: { $0.key < $1.key }) {
        StandardOutput.write(
          "\(table): the next merge tries \(Numbers.counted(count, "row")) again.\n"
        )
      }
    } else {
      let rows: TerminalText = dismissed ? "No dismissed rows" : "No refused rows"
      StandardOutput.write(replayedCount > 0 ? "\(rows) of staging.\n" : "\(rows).\n")
    }
    if dismissedCount > 0, !dismissed {
      let stay: TerminalText = dismissedCount == 1 ? "row stays" : "rows stay"
      StandardOutput.write(
        "\(Numbers.grouped(dismissedCount)) \(stay) dismissed: errors retry --dismissed has the next merge read such rows again.\n"
      )
    }
  }

  /// What `--json` prints.
  private struct Retried: Encodable {
    let released: [String: Int]
    /// Rows that stay dismissed.
    let dismissed: Int
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
