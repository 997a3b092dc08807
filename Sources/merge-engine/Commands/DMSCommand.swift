import ArgumentParser
import DMS
import Foundation
import MergeEngine

/// `merge-engine dms`
struct DMSCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dms",
    abstract: "Make or check the two JSON documents of an AWS DMS task.",
    subcommands: [DMSMappingsCommand.self, DMSSettingsCommand.self, DMSLintCommand.self]
  )
}

/// `merge-engine dms mappings`
struct DMSMappingsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mappings",
    abstract: "Print the table mappings for a window: selections, names, table settings.",
    discussion: "Without --table, the tables are those that a merge would use; that needs the database."
  )

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var source: SourceOptions

  @Option(help: ArgumentHelp("The window's first moment, as the source's clock shows it.", valueName: "time"))
  var from: String

  @Option(help: ArgumentHelp("The first moment after the window.", valueName: "time"))
  var to: String

  func run() async throws {
    let window = try TimeWindow(from: from, to: to)
    let file = try ConfigurationFile(path: database.config)
    let schemas = try CommandContext.schemas(database, file)
    let planner = MappingPlanner(
      configuration: file,
      columns: CommandContext.columnRules(file),
      schemas: schemas,
      side: .staging,
      options: source
    )
    let plan = try planner.plan(try await tables(file, schemas), window: window)
    StandardOutput.write(document: try plan.mappings().document())
  }

  /// The names that were given, where each says which table it is; what a merge would take otherwise.
  private func tables(_ file: ConfigurationFile, _ schemas: Schemas) async throws -> [String] {
    let names = database.table.isEmpty ? file.include : database.table
    if let names, names.allSatisfy({ schemas.place(of: $0) != nil }) { return names }
    let context = try CommandContext(database)
    var options = MergeOptions()
    options.schemas = context.schemas
    options.columns = context.columns
    options.tables = names
    let settled = options
    let stagingTarget = try context.stagingTarget(nil)
    return try await Waiting.on("reading the tables", context) {
      try StagingArea(
        target: context.target,
        stagingTarget: stagingTarget,
        options: settled,
        logger: context.logger
      ).tables.map(\.name)
    }
  }
}

/// `merge-engine dms settings`
struct DMSSettingsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "Print the task settings for a full load into prepared tables that skips nothing silently.",
    discussion: "Sizes are taken from the section dms of the configuration file."
  )

  @OptionGroup var database: DatabaseOptions

  func run() async throws {
    let file = try ConfigurationFile(path: database.config)
    StandardOutput.write(document: try OrderedJSONEncoder().document(try SettingsPlan(file.dms).settings()))
  }
}
