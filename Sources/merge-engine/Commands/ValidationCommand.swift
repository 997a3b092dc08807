import ArgumentParser
import MergeEngine

/// `merge-engine validation`
struct ValidationCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validation",
    abstract: "Show what DMS's own validation found to differ between Oracle and production.",
    subcommands: [ValidationListCommand.self]
  )
}

/// `merge-engine validation list`
struct ValidationListCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the rows that DMS's validation found to differ, by table and kind.",
    discussion: """
      Each is looked at again in production first, since CDC may have mended it. Ends with 65 if there are any that are not known to \
      be mended; merge-engine reload --from-validation loads just those.
      """
  )

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var failure: FailureOptions

  @Option(
    help: ArgumentHelp(
      """
      The Oracle schema of tables that name none: failures of tables of other schemas are left out. With several pairs of schemas \
      PRODUCTION=NAME, once for each.
      """,
      valueName: "name"
    )
  )
  var sourceSchema: [String] = []

  @Option(
    help: ArgumentHelp("Only what this task found: its ARN, or the last part of it.", valueName: "task")
  )
  var task: String?

  @Flag(help: "Also list failures that have been mended.")
  var all = false

  @Option(help: ArgumentHelp("List no more failures than this; all are counted.", valueName: "rows"))
  var limit = 100

  func run() async throws {
    guard limit > 0 else { throw MergeFailure.usage("--limit is \(limit); it must be 1 or more.") }
    let context = try CommandContext(database)
    let reader = try failure.reader(context, sourceSchemas: sourceSchema, task: task)
    let report = try await Waiting.on("reading", context) { try reader.read() }
    try ValidationOutput(report: report, showsMended: all, limit: limit).write(context)
    if report.openCount > 0 || !report.findings.isEmpty { throw CommandEnd(status: .rowsRefused) }
  }
}
