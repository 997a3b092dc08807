import ArgumentParser
import MergeEngine

/// `merge-engine control RUN`
struct ControlCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "control",
    abstract: "Steer a merge, replay, repair or rollback from another terminal: pause, resume, rate, workers, stop.",
    discussion: """
      After a pause the batches under way finish and no new ones begin. No rows stay locked; the run keeps its connections and its locks \
      against other merges, and status --watch shows that it is paused. A request stays in force until the run ends, even if the run \
      loses its connections. A rollback works on a single connection, so --workers does not apply to it. The exit status is 73 for a run \
      that is over or whose process is gone.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Argument(help: ArgumentHelp("The run's id, as merge and status show it.", valueName: "run"))
  var runID: Int

  @Flag(help: "Start no more batches until --resume.")
  var pause = false

  @Flag(help: "Continue after --pause.")
  var resume = false

  @Option(help: ArgumentHelp("Process at most this many rows per second; 0 for no limit.", valueName: "n"))
  var maxRowsPerSecond: Int?

  @Option(help: ArgumentHelp("Work on this many batches at once.", valueName: "n"))
  var workers: Int?

  @Flag(help: "End the run as Ctrl-C does: batches under way are rolled back, and the same command continues later.")
  var stop = false

  func validate() throws {
    guard !requests.isEmpty else {
      throw ValidationError("Say what the run is to do: --pause, --resume, --max-rows-per-second, --workers or --stop.")
    }
    guard !(pause && resume) else { throw ValidationError("--pause and --resume can't be combined.") }
    guard !stop || requests.count == 1 else { throw ValidationError("--stop can't be combined with other requests.") }
  }

  private var requests: [ControlRequest] {
    [
      pause ? .pause : nil, maxRowsPerSecond.map { .maxRowsPerSecond($0) }, workers.map { .workers($0) },
      resume ? .resume : nil, stop ? .stop : nil,
    ].compactMap(\.self)
  }

  func run() async throws {
    let context = try CommandContext(database)
    try UsageCheck.typed(maxRowsPerSecond, 0...MergeLimits.rows.upperBound, flag: "--max-rows-per-second")
    try UsageCheck.typed(workers, MergeLimits.workers, flag: "--workers")
    let (requests, runID) = (requests, runID)
    let signal = StopSignal()
    let interrupts = Interrupts { signal.request(signal: $0) }
    let answer = try await Waiting.on("waiting for the run's answer", context) {
      try RunControl(target: context.target, schemas: context.schemas, logger: context.logger, stop: signal)
        .ask(requests, of: runID)
    }
    withExtendedLifetime(interrupts) {}
    if context.writesJSON { return try StandardOutput.write(json: answer) }
    guard !context.isQuiet else { return }
    let words = requests.map { "\($0)" }.joined(separator: ", and to ")
    StandardOutput.write(
      answer.isDone
        ? "Run \(runID) was asked to \(words), and has done so.\n"
        : "Run \(runID) was asked to \(words), and has not answered yet; merge-engine status --watch shows when it does.\n"
    )
  }
}
