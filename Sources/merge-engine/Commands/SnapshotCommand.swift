import ArgumentParser
import Foundation
import MergeEngine

/// `merge-engine snapshot`
struct SnapshotCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Save staging tables as files that replay can merge, as often as needed.",
    subcommands: [SnapshotSaveCommand.self, SnapshotInfoCommand.self, SnapshotFromCSVCommand.self]
  )
}

/// `merge-engine snapshot save`
struct SnapshotSaveCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "save",
    abstract: "Save the staging tables as of one moment, one file each, in PostgreSQL's binary COPY format.",
    discussion: """
      All rows are saved, whatever they are marked. Nothing is written to the database, and DMS or a merge may go on \
      meanwhile. The folder is not a snapshot until its manifest.json is there, which is written last.
      """
  )

  @Argument(help: ArgumentHelp("A folder that is empty or does not exist.", valueName: "dir"), completion: .directory)
  var directory: String

  @OptionGroup var database: DatabaseOptions

  @Option(help: ArgumentHelp("The database that staging is in, if not --database.", valueName: "url"))
  var stagingDatabase: String?

  func run() async throws {
    let context = try CommandContext(database)
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let save = SnapshotSave(
      target: context.target,
      stagingTarget: try context.stagingTarget(stagingDatabase),
      options: options,
      logger: context.logger,
      stop: stop
    )
    let folder = URL(fileURLWithPath: directory)
    let result = try await Waiting.on("saving", context) { Result { try save.run(into: folder) } }
    withExtendedLifetime(interrupts) {}
    if case .failure = result, let signal = stop.signal { throw CommandEnd(status: ExitStatus(signal: signal)) }
    try SnapshotOutput(manifest: result.get(), directory: folder)
      .write(asJSON: context.writesJSON, isQuiet: context.isQuiet, verb: "saved")
  }
}

/// `merge-engine snapshot info`
struct SnapshotInfoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show what a snapshot holds, and check that its files are intact. Needs no database.",
    discussion: "Every file is read to its end: length, SHA-256 and the structure of every row are checked."
  )

  @Argument(help: ArgumentHelp("The folder of a snapshot.", valueName: "dir"), completion: .directory)
  var directory: String

  @Flag(help: "Print the result as one JSON object on stdout, everything else on stderr.")
  var json = false

  func run() async throws {
    let folder = URL(fileURLWithPath: directory)
    let snapshot = try Snapshot(directory: folder)
    try await Waiting.on("checking the files") { try snapshot.check() }
    try SnapshotOutput(manifest: snapshot.manifest, directory: folder)
      .write(asJSON: json, isQuiet: false, verb: "checked")
  }
}
