import ArgumentParser
import CBuildFacts
import Foundation
import MergeEngine

/// The program: a tree of commands, of which `merge` is the one that needs no name.
@main
struct MergeEngineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge-engine",
    abstract: "Merges what AWS DMS has loaded into staging tables into production, while CDC keeps running.",
    discussion: """
      The newer version of a row wins; its version is the column updated_at. Without a command, merge-engine merges:
      `merge-engine --batch 50000`.
      """,
    version: version,
    subcommands: [
      MergeCommand.self, InitCommand.self, PlanCommand.self, VerifyCommand.self, WhyCommand.self, StatusCommand.self,
      ControlCommand.self, ErrorsCommand.self,
      RepairCommand.self, RollbackCommand.self, SnapshotCommand.self, ReplayCommand.self, ReportCommand.self,
      DMSCommand.self,
      ReloadCommand.self, ValidationCommand.self, CleanupCommand.self, BenchCommand.self, DemoCommand.self,
    ],
    defaultSubcommand: MergeCommand.self
  )

  /// `0.1.0`, and the commit where the builder has named it.
  private static var version: String {
    // Safe: a string literal of the program.
    let commit = unsafe String(cString: merge_engine_commit())
    return EngineVersion.current + (commit.isEmpty ? "" : " (\(commit))")
  }

  static func main() async {
    StandardStreams.takeClosedPlaces()
    // Whatever is written may hold rows of production. What others are to read says so itself.
    umask(0o077)
    var format = LogFormat.text
    do {
      var command = try parseAsRoot()
      try ShownArguments.requireNoMisplacedLogin(Array(CommandLine.arguments.dropFirst()))
      if let options = (command as? any DatabaseCommand)?.database {
        // A file with a mistake is the command's to complain of.
        format = options.logFormat(try? ConfigurationFile(path: options.config))
      }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      try StandardOutput.requireWritten()
    } catch {
      FailureReport(error, format: format).exit()
    }
  }
}
