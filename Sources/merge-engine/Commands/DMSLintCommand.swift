import ArgumentParser
import DMS
import Foundation
import MergeEngine
import Reload

/// `merge-engine dms lint`
struct DMSLintCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lint",
    abstract: "Check table mappings and task settings: what is wrong, where, why, and what to write instead.",
    discussion: """
      With a database the names and types of the staging tables are looked at too. Ends with 65 if a document has errors: \
      it will fail, or load other rows than meant. A request for a serverless replication config is checked with both documents \
      in it.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Argument(
    help: ArgumentHelp(
      "Mappings, settings, or the request for a replication config; the kind of each file is recognised.",
      valueName: "file"
    )
  )
  var files: [String]

  func run() async throws {
    let contents = try files.map { file in
      guard let data = FileManager.default.contents(atPath: file) else {
        throw MergeFailure.usage("\(file): the file can't be read.")
      }
      return (file: file, bytes: Array(data))
    }
    let configuration = try ConfigurationFile(path: database.config)
    let schema = try await knownSchema(configuration)
    let isServerless = configuration.dms.serverless != nil
    let entries = contents.map {
      LintOutput.Entry(
        file: $0.file,
        report: DocumentLint.lint($0.bytes, schema: schema, isServerless: isServerless)
      )
    }
    let output = LintOutput(entries: entries)
    if database.json {
      try StandardOutput.write(json: output)
    } else {
      StandardOutput.write(output.rendered(StandardOutput.style, isQuiet: database.quiet))
    }
    if output.hasErrors { throw CommandEnd(status: .rowsRefused) }
  }

  private func knownSchema(_ file: ConfigurationFile) async throws -> KnownSchema? {
    guard CommandContext.namesDatabase(database, file) else { return nil }
    let context = try CommandContext(database)
    let target = try context.stagingTarget(nil) ?? context.target
    return try await Waiting.on("reading the tables", context) {
      KnownSchema(
        try StagingDescription(
          target: target,
          schemas: context.schemas,
          columns: context.columns,
          logger: context.logger
        ),
        validated: try ValidatedTables(
          target: context.target,
          schemas: context.schemas,
          columns: context.columns,
          logger: context.logger
        ),
        only: context.tables
      )
    }
  }
}
