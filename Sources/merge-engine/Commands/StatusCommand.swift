import ArgumentParser
import MergeEngine

/// `merge-engine status`
struct StatusCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the pending, processed and refused rows of each staging table, and the last runs.",
    discussion: """
      With --watch, follow a running merge from another terminal until Ctrl-C, with a line for each table and worker. Counting \
      takes at most a twentieth of the time; between counts, the last one is updated from the merge's own records. Staging that Citus \
      has distributed is counted by its nodes, without --watch and --prometheus.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Flag(help: "Keep updating: a screen on a terminal, plain text elsewhere, one JSON object per line with --json.")
  var watch = false

  @Argument(help: ArgumentHelp("With --watch: seconds between updates (default: 1).", valueName: "seconds"))
  var seconds: Double?

  @Option(
    help: ArgumentHelp(
      "Write metrics for node_exporter's textfile collector to this file, whole or not at all; - for stdout.",
      valueName: "file"
    )
  )
  var prometheus: String?

  func validate() throws {
    guard watch || seconds == nil else {
      throw ValidationError("A number of seconds only has a meaning with --watch: status --watch 5.")
    }
    guard !watch || prometheus == nil else {
      throw ValidationError("--watch and --prometheus can't be combined: run status --prometheus from a timer.")
    }
    guard prometheus == nil || !database.json else {
      throw ValidationError("--prometheus and --json can't be combined: the metrics have their own format.")
    }
  }

  func run() async throws {
    let context = try CommandContext(database)
    if watch { return try await watch(context) }
    if let prometheus { return try await write(metricsTo: prometheus, context) }
    let status = try await Waiting.on("counting", context) {
      try NodesStatus.read(
        target: context.target,
        addresses: NodeAddresses(context.configuration.citusNodes),
        schemas: context.schemas,
        tables: context.tables,
        columns: context.columns,
        logger: context.logger
      )
    }
    if context.writesJSON {
      try StandardOutput.write(json: status)
    } else if !context.isQuiet {
      StandardOutput.write(StatusTable(status: status).rendered(StandardOutput.style))
    }
    if status.errorsElsewhere > 0 || status.tables.contains(where: { $0.errors > 0 }) {
      throw CommandEnd(status: .rowsRefused)
    }
  }

  private func watch(_ context: CommandContext) async throws {
    let interval = seconds ?? 1
    try UsageCheck.range(interval, 0.1...86_400, flag: "--watch", rule: "from 0.1 to 86400 seconds")
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    try await onThreadOfItsOwn {
      try WatchDisplay(context).run(
        StatusWatch(
          target: context.target,
          schemas: context.schemas,
          tables: context.tables,
          columns: context.columns,
          intervalSeconds: interval,
          logger: context.logger,
          stop: stop
        ),
        stop
      )
    }
    withExtendedLifetime(interrupts) {}
    throw CommandEnd(status: ExitStatus(signal: stop.signal ?? 2))
  }

  private func write(metricsTo path: String, _ context: CommandContext) async throws {
    // node_exporter runs as another user.
    let file = path == "-" ? nil : AtomicFile(path: path, permissions: 0o644)
    try await Waiting.on("counting", context) {
      do {
        try file?.check()
        let text = try StatusMetrics(
          target: context.target,
          schemas: context.schemas,
          tables: context.tables,
          columns: context.columns,
          logger: context.logger
        ).text()
        guard let file else { return StandardOutput.write(document: text) }
        try file.write(text)
      } catch let failure as AtomicFile.Failure {
        throw MergeFailure.blocked([Finding(grade: .blocker, table: nil, message: "the metrics file \(failure)")])
      }
    }
  }
}
