import ArgumentParser
import MergeEngine
import Reload

/// `merge-engine cleanup`
struct CleanupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cleanup",
    abstract:
      "Truncate merged staging tables, delete the DMS tasks of finished reloads, archive and prune records.",
    discussion: """
      A staging table with a row that is not merged or was refused is left as it is, and so are one whose production table is \
      empty and the task of a good load that has not been merged; the exit status is then 65.
      """
  )

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var aws: AWSOptions

  @Flag(help: "Truncate staging whatever is in it, and delete tasks even if they could be resumed.")
  var force = false

  @Flag(help: "Keep staging as it is: only delete tasks, archive and prune.")
  var keepStaging = false

  @Flag(help: "Keep the tasks in AWS, and don't call AWS.")
  var keepTask = false

  @Option(
    help: ArgumentHelp(
      "Write the records of a run, including refused rows, to a JSON file in this folder.",
      valueName: "dir"
    )
  )
  var archive: String?

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("With --archive: the run (default: the latest one that has ended).", valueName: "id")
  )
  var runID: Int?

  @Option(
    help: ArgumentHelp(
      "Delete the records of runs that began this many days ago or earlier; with --archive, write them first.",
      valueName: "days"
    )
  )
  var olderThan: Int?

  @Option(
    help: ArgumentHelp(
      "Drop the before-images of runs that began this many days ago or earlier; they can no longer be rolled back.",
      valueName: "days"
    )
  )
  var beforeImagesOlderThan: Int?

  @Option(help: ArgumentHelp("The database that staging is in, if not --database.", valueName: "url"))
  var stagingDatabase: String?

  /// Arbitrary: a hundred years.
  private static let dayLimit = 36_500

  func run() async throws {
    if let olderThan, olderThan < 0 {
      throw MergeFailure.usage("--older-than is \(olderThan); it must be 0 or more days.")
    }
    if let beforeImagesOlderThan, !(0...Self.dayLimit).contains(beforeImagesOlderThan) {
      throw MergeFailure.usage(
        "--before-images-older-than is \(beforeImagesOlderThan); it must be from 0 to \(Self.dayLimit) days."
      )
    }
    if force && keepStaging {
      throw MergeFailure.usage("--force empties staging and --keep-staging keeps it: leave one out.")
    }
    let context = try CommandContext(database)
    var options = MergeOptions()
    options.schemas = context.schemas
    options.tables = context.tables
    options.columns = context.columns
    options.timeZone = context.configuration.timeZone ?? options.timeZone
    options.timeZoneIsConfigured = context.configuration.timeZone != nil
    var setting = ReloadSetting(target: context.target, options: options)
    setting.stagingTarget = try context.stagingTarget(stagingDatabase)
    var request = Cleanup.Request()
    request.isForced = force
    request.keepsStaging = keepStaging
    request.keepsTasks = keepTask
    request.archive = archive
    request.run = runID
    request.olderThanDays = olderThan
    request.beforeImagesOlderThanDays = beforeImagesOlderThan
    let service = aws.service(context.configuration.dms)
    let report = try await Cleanup(setting: setting, service: service, logger: context.logger).run(request)
    try CleanupOutput(report: report).write(context)
    if report.isIncomplete { throw CommandEnd(status: .rowsRefused) }
  }
}
