import ArgumentParser
import MergeEngine

/// The program: a tree of commands, of which `merge` is the one that needs no name.
@main
struct MergeEngineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge-engine",
    abstract: "Merges what AWS DMS loaded into staging tables into production, while CDC goes on.",
    discussion: """
      The newer version of a row wins; the version is the column updated_at. Without a command, merge-engine merges:
      `merge-engine --batch 50000`.
      """,
    version: EngineVersion.current,
    subcommands: [
      MergeCommand.self, InitCommand.self, PlanCommand.self, VerifyCommand.self, WhyCommand.self, StatusCommand.self,
      ControlCommand.self, ErrorsCommand.self,
      RepairCommand.self, RollbackCommand.self, SnapshotCommand.self, ReplayCommand.self, ReportCommand.self,
      DMSCommand.self,
      ReloadCommand.self, CleanupCommand.self, BenchCommand.self, DemoCommand.self,
    ],
    defaultSubcommand: MergeCommand.self
  )

  static func main() async {
    var format = LogFormat.text
    do {
      var command = try parseAsRoot()
      if let options = (command as? any DatabaseCommand)?.database {
        // A file with a mistake is the command's to complain of.
        format = options.logFormat(try? ConfigurationFile(path: options.config))
      }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      FailureReport(error, format: format).exit()
    }
  }
}
