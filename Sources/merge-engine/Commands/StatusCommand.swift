import ArgumentParser
import MergeEngine

/// `merge-engine status`
struct StatusCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Pending, processed and refused rows of each staging table, and the last runs."
  )

  @OptionGroup var database: DatabaseOptions

  func run() async throws {
    let context = try CommandContext(database)
    let status = try await onThreadOfItsOwn {
      try MergeStatus.read(
        target: context.target,
        schemas: context.schemas,
        tables: context.tables,
        logger: context.logger
      )
    }
    if context.writesJSON { return try StandardOutput.write(json: status) }
    guard !context.isQuiet else { return }
    StandardOutput.write(StatusTable(status: status).rendered(Style(isTerminal: StandardOutput.isTerminal)))
  }
}
