import ArgumentParser
import MergeEngine

/// `merge-engine control RUN`
struct ControlCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "control",
    abstract: "Steers a running merge from another terminal: pause, resume, rate, workers, stop.",
    discussion: """
      A pause ends the batches under way and begins no other: no row is locked, connections and the tables' locks against other merges \
      are kept, and status --watch says that the run is paused. What is asked for holds until the run ends, whatever becomes of its \
      connections. Exit status 73 for a run that is over or whose process is gone.
      """
  )

  @OptionGroup var database: DatabaseOptions

  @Argument(help: ArgumentHelp("The run, by the id that merge and status show.", valueName: "run"))
  var runID: Int

  @Flag(help: "Begin no batch until --resume.")
  var pause = false

  @Flag(help: "Go on.")
  var resume = false

  @Option(help: ArgumentHelp("Read no more staging rows than this in a second; 0 for no limit.", valueName: "n"))
  var maxRowsPerSecond: Int?

  @Option(help: ArgumentHelp("Carry so many batches side by side.", valueName: "n"))
  var workers: Int?

  @Flag(help: "End the run as Ctrl-C does: what is under way is rolled back, and the same merge goes on later.")
  var stop = false

  func validate() throws {
    guard !requests.isEmpty else {
      throw ValidationError("Say what the run is to do: --pause, --resume, --max-rows-per-second, --workers or --stop.")
    }
    guard !(pause && resume) else { throw ValidationError("--pause and --resume don't go together.") }
    guard !stop || requests.count == 1 else { throw ValidationError("--stop goes alone.") }
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
    let answer = try await onThreadOfItsOwn {
      try RunControl(target: context.target, schemas: context.schemas, logger: context.logger, stop: signal)
        .ask(requests, of: runID)
    }
    withExtendedLifetime(interrupts) {}
    if context.writesJSON { return try StandardOutput.write(json: answer) }
    guard !context.isQuiet else { return }
    let words = requests.map { "\($0)" }.joined(separator: ", and to ")
    StandardOutput.write(
      answer.isDone
        ? "Run \(runID) was asked to \(words), and does.\n"
        : "Run \(runID) was asked to \(words), and has not answered yet: merge-engine status --watch shows when it does.\n"
    )
  }
}
