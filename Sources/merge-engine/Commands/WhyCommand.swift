import ArgumentParser
import MergeEngine

/// `merge-engine why TABLE KEY…`
struct WhyCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract:
      "Show what became of one row: both sides, what the rule says now, batches, refusals, before-images. Writes nothing.",
    discussion: """
      Give the key's values in the key's order, or each as COLUMN=VALUE: merge-engine why order_items 4711 3. Put negative numbers \
      after two dashes: merge-engine why t -- -5.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Argument(help: "The table.")
  var name: String

  @Argument(help: ArgumentHelp("The key.", valueName: "key"))
  var key: [String]

  @OptionGroup var comparison: ComparisonOptions

  @OptionGroup var staging: StagingDatabaseOption

  func run() async throws {
    let context = try CommandContext(database)
    let options = try comparison.resolve(context)
    let stagingTarget = try context.stagingTarget(staging.stagingDatabase)
    let (table, key) = (name, key)
    let report = try await Waiting.on("looking", context) {
      try NodesWhy.ask(
        target: context.target,
        stagingTarget: stagingTarget,
        addresses: NodeAddresses(context.configuration.citusNodes),
        options: options,
        logger: context.logger,
        table: table,
        key: key
      )
    }
    if context.writesJSON { return try StandardOutput.write(json: report) }
    guard !context.isQuiet else { return }
    StandardOutput.write(WhyTable(report: report).rendered(StandardOutput.style))
  }
}
