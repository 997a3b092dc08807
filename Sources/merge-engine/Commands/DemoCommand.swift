import ArgumentParser
import Foundation
import Libpq
import Logging
import MergeEngine
import PrivateCluster

/// `merge-engine demo`
struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Start a private PostgreSQL, load the guide's tables, merge them, and leave nothing behind.",
    discussion: "With --keep the server keeps running until demo --stop, so you can try other commands on it."
  )

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp("Write a report of the merge to this HTML file.", valueName: "file")
  )
  var reportPath: String?

  @Flag(help: "Leave the server running, and say how to reach it.")
  var keep = false

  @Flag(name: .customLong("stop"), help: "Stop the server that an earlier demo --keep has left running.")
  var stops = false

  func validate() throws {
    guard !(stops && (keep || reportPath != nil)) else {
      throw ValidationError("--stop only stops a server: without --keep and --report.")
    }
  }

  func run() async throws {
    if stops { return try await stopKept() }
    if keep, let directory = KeptDemo.directory, FileManager.default.fileExists(atPath: directory) {
      throw MergeFailure.usage(
        "a demo is being kept already: \(Self.url(directory)). Stop it first: merge-engine demo --stop."
      )
    }
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let report = try await PrivateCluster.with(ClusterOptions(settings: ["shared_buffers": "256MB"])) { cluster in
      say("A private PostgreSQL \(cluster.serverVersion) is running in \(cluster.directory).")
      let report = try await Self.merge(cluster.connectionString(), reportPath: reportPath, stop)
      if keep { try await leave(cluster) }
      return report
    }
    withExtendedLifetime(interrupts) {}
    if !keep { say("The server is stopped and its folder removed.") }
    try MergeExecution.finish(report, stop)
  }

  private func leave(_ cluster: PrivateCluster) async throws {
    try KeptDemo.remember(cluster.directory)
    let directory = try await cluster.keep()
    // Not broken where the window ends: these are to be copied.
    StandardOutput.write(
      """

      The server keeps running. Try:

        export DATABASE_URL='\(Self.url(directory))'
        merge-engine verify                    # exit status 65: rows of the same version whose other values differ
        merge-engine --again --ties compare    # takes staging's values for those rows
        merge-engine verify                    # exit status 0: production is what was merged

      and when you are done:

        merge-engine demo --stop

      """
    )
  }

  private func stopKept() async throws {
    guard let directory = KeptDemo.directory else {
      throw MergeFailure.usage("there is no demo to stop: none was started with merge-engine demo --keep.")
    }
    try await PrivateCluster.stopKept(directory)
    KeptDemo.forget()
    say("The server in \(directory) is stopped and its folder removed.")
  }

  private static func url(_ directory: String) -> String { "postgresql:///postgres?host=\(directory)&user=postgres" }

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
    _ = try StagingSetup(target: context.target, options: StagingOptions(), logger: context.logger).run()
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
private func say(_ line: TerminalText) {
  StandardOutput.write(StandardOutput.style.wrapped("\(line)\n"))
}
