import ArgumentParser
import MergeEngine

/// `merge-engine init`
struct InitCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Create staging tables that match production, and the admin schema with its tables and views. Repeatable."
  )

  @OptionGroup var database: DatabaseOptions

  @Flag(
    help: """
      Index the version column of staging. Costs: every mark then writes an index entry too (marking 1M rows takes \
      about five times as long), and the DMS load is slower. merge-engine itself does not need it.
      """
  )
  var indexUpdatedAt = false

  @Flag(
    help: """
      Give staging the column _dms_processing_status, which merges keep true: NEW, PROCESSED or ERROR. Costs: marking rows \
      takes longer than reading them, and staging takes twice the space. merge-engine itself does not need it.
      """
  )
  var statusColumn = false

  @Flag(
    help: """
      Leave staging out of the write-ahead log: load and marks are about a third faster. Costs: after a crash of the \
      server the staging tables are empty and must be loaded again, and standbys do not have them.
      """
  )
  var unlogged = false

  @Flag(
    inversion: .prefixedNo,
    help: "Distribute staging as Citus has distributed production, side by side, for merge --on-nodes."
  )
  var onNodes: Bool?

  @Option(help: ArgumentHelp("Only print, as SQL, the rights that a role needs to merge.", valueName: "role"))
  var printGrants: String?

  @Flag(
    help: """
      With --print-grants: also what only --before-images, rollback, repair, cleanup and replay --into-staging need, which is \
      otherwise printed as comments.
      """
  )
  var optionalGrants = false

  func run() async throws {
    let context = try CommandContext(database)
    var options = StagingOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    options.indexesVersion = indexUpdatedAt
    options.hasStatusColumn = statusColumn
    options.isUnlogged = unlogged
    options.onNodes = onNodes ?? context.configuration.onNodes ?? false
    let setup = StagingSetup(target: context.target, options: options, logger: context.logger)
    guard !optionalGrants || printGrants != nil else {
      throw MergeFailure.usage("--optional-grants only has a meaning with --print-grants ROLE.")
    }
    if let printGrants {
      let withOptional = optionalGrants
      let statements = try await Waiting.on("reading the tables", context) {
        try setup.grants(to: printGrants, withOptional: withOptional)
      }
      StandardOutput.write(document: statements.joined(separator: "\n") + "\n")
      return
    }
    let reports = try await Waiting.on("creating staging", context) { try setup.run() }
    try show(reports, context)
  }

  private func show(_ reports: [StagingSetup.TableReport], _ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: ["tables": reports]) }
    guard !context.isQuiet else { return }
    var table = TextTable(["table", "staging", "note"])
    for report in reports { table.add([report.table, report.action.rawValue, report.note]) }
    StandardOutput.write(table.rendered(StandardOutput.style))
  }
}
