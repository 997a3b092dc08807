import ArgumentParser
import HTMLReport
import MergeEngine

/// `merge-engine report`
struct ReportCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write one self-contained HTML file about a run: counts, rates, refused rows, warnings, verification."
  )

  @OptionGroup var database: DatabaseOptions

  @Argument(
    help: ArgumentHelp("The run's id, as merge-engine status shows it (default: the latest run).", valueName: "run")
  )
  var id: Int?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The file to write; - for stdout (default: run-RUN.html in the working directory).",
      valueName: "file"
    )
  )
  var output: String?

  /// What `--json` says.
  private struct Written: Encodable {
    let runID: Int
    let status: String
    let file: String

    private enum CodingKeys: String, CodingKey {
      case runID = "run_id"
      case status, file
    }
  }

  func validate() throws {
    guard output != "-" || !database.json else {
      throw ValidationError("--json and --output - both want stdout: name a file.")
    }
  }

  func run() async throws {
    let context = try CommandContext(database)
    let typed = id
    let runs = StoredRuns(target: context.target, schemas: context.schemas, logger: context.logger)
    let id = try await Waiting.on("reading", context) { try typed ?? runs.latest() }
    guard output != "-" else {
      let html = try await Waiting.on("reading the run", context) { RunPage(try runs.read(id)).html() }
      return StandardOutput.write(document: html)
    }
    let path = output ?? "run-\(id).html"
    let stored = try await Waiting.on("reading the run", context) { try ReportFile(path: path, context).write(run: id) }
    if context.writesJSON {
      return try StandardOutput.write(json: Written(runID: id, status: stored.status, file: path))
    }
    guard !context.isQuiet else { return }
    StandardOutput.write("The report of run \(id), \(stored.status), is in \(path).\n")
  }
}
