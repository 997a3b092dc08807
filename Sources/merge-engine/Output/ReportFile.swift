import HTMLReport
import MergeEngine

/// The report of a run as a file, or on stdout.
struct ReportFile: Sendable {
  private let file: AtomicFile
  private let runs: StoredRuns
  private let logFormat: LogFormat

  /// Readable by this user only: keys and messages of refused rows are in it.
  init(path: String, _ context: CommandContext) {
    file = AtomicFile(path: path)
    runs = StoredRuns(target: context.target, schemas: context.schemas, logger: context.logger)
    logFormat = context.logFormat
  }

  /// Refuses a file that can't be written, before anything else is done.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)``, ``MergeFailure/usage(_:)`` for stdout, where the result goes.
  func check() throws {
    guard file.path != "-" else {
      throw MergeFailure.usage("--report - would mix the report with the result on stdout: name a file.")
    }
    do {
      try file.check()
    } catch {
      throw Self.blocked(error)
    }
  }

  /// Writes the report.
  func write(run id: Int) throws -> StoredRun {
    let run = try runs.read(id)
    do {
      try file.write(RunPage(run).html())
    } catch {
      throw Self.blocked(error)
    }
    return run
  }

  /// Writes the report of a run that is done whatever becomes of the report.
  ///
  /// - Returns: whether it is written; if not, it is said why and how to have it yet.
  func writeAfterMerge(run id: Int) -> Bool {
    let reason: String
    do {
      try file.write(RunPage(runs.read(id)).html())
      return true
    } catch MergeFailure.unreachable(let error) {
      reason = "\(error)"
    } catch MergeFailure.blocked(let findings) {
      reason = findings.map(\.message).joined(separator: " ")
    } catch {
      reason = "\(error)"
    }
    StandardError.write(
      failure: [
        "the report of run \(id) is not written: \(reason)",
        "What was merged stays merged. merge-engine report \(id) --output FILE writes the report.",
      ],
      logFormat
    )
    return false
  }

  private static func blocked(_ failure: AtomicFile.Failure) -> MergeFailure {
    .blocked([Finding(grade: .blocker, table: nil, message: "the report \(failure)")])
  }
}
