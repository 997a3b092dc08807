import ArgumentParser
import Libpq
import Logging
import MergeEngine
import PrivateCluster

/// `merge-engine demo`
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Starts a private PostgreSQL, loads the guide's tables, merges them, and leaves nothing behind."
  )

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp("Keep a report of the merge in this HTML file.", valueName: "file")
  )
  var reportPath: String?

  func run() async throws {
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await PrivateCluster.with(ClusterOptions(settings: ["shared_buffers": "256MB"])) { cluster in
      say("A private PostgreSQL \(cluster.serverVersion) is running in \(cluster.directory).")
      return try await Self.merge(cluster.connectionString(), reportPath: reportPath, stop)
    }
    withExtendedLifetime(interrupts) {}
    say("The server is stopped and its folder removed.")
    try MergeExecution.finish(report, stop)
  }

  private static func merge(
    _ connectionString: String,
    reportPath: String?,
    _ stop: StopSignal
  ) async throws -> RunReport {
    let context = try CommandContext(ownDatabase: connectionString)
    let reportFile = reportPath.map { ReportFile(path: $0, context) }
    try reportFile?.check()
    return try await onThreadOfItsOwn {
      let connection = try Connection(to: context.target, applicationName: "merge-engine demo") { _ in }
      try prepare(connection, context, stop: stop)
      var options = MergeOptions()
      options.schemas = context.schemas
      say("\n$ merge-engine --batch \(options.batchRows)\n")
      let report = try MergeExecution(context: context, options: options, stop: stop).run()
      let status = try MergeStatus.read(
        target: context.target,
        schemas: context.schemas,
        tables: nil,
        logger: context.logger
      )
      say("\n$ merge-engine status\n")
      StandardOutput.write(StatusTable(status: status).rendered(StandardOutput.style))
      if let reportFile, reportFile.writeAfterMerge(run: report.runID) {
        say("\nThe report of the merge is in \(reportPath ?? "").")
      }
      return report
    }
  }

  private static func prepare(_ connection: Connection, _ context: CommandContext, stop: StopSignal) throws {
    try connection.execute(DemoData.production, "making the production tables")
    try leaveIfInterrupted(stop)
    _ = try StagingSetup(target: context.target, options: StagingSetup.Options(), logger: context.logger).run()
    try leaveIfInterrupted(stop)
    try connection.execute(DemoData.staging, "loading staging")
    try leaveIfInterrupted(stop)
    say(
      "Production holds 20,000 customers and 400,000 orders; staging holds "
        + "\(Numbers.grouped(DemoData.stagedCustomerCount)) customers and "
        + "\(Numbers.grouped(DemoData.stagedOrderCount)) orders of a window that CDC has seen only in part."
    )
  }

  private static func leaveIfInterrupted(_ stop: StopSignal) throws {
    if let signal = stop.signal { throw CommandEnd(status: ExitStatus(signal: signal)) }
  }
}

/// One line of the demo's story.
private func say(_ line: String) {
  StandardOutput.write(line + "\n")
}
