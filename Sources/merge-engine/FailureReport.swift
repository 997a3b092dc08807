import ArgumentParser
import Bench
import DMS
import Foundation
import Libpq
import MergeEngine
import PrivateCluster
import Reload

/// What a failed command says on stderr, and on stdout if JSON is wanted, and the status it ends with.
struct FailureReport {
  private let error: any Error
  private let format: LogFormat
  /// What was typed, without the program's name.
  private let arguments: [String]
  /// Who is told of it too.
  private let onEnd: OnEndCommand?

  init(_ error: any Error, format: LogFormat, arguments: [String] = Array(CommandLine.arguments.dropFirst())) {
    let untold = error as? UntoldFailure
    self.error = untold?.error ?? error
    onEnd = untold?.command
    self.format = format
    self.arguments = arguments
  }

  /// By what was typed: a command line that can't be read has no options yet.
  private var writesJSON: Bool { arguments.prefix { $0 != "--" }.contains("--json") }

  /// Prints the message and ends the process.
  func exit() -> Never {
    switch error {
    case let end as CommandEnd:
      let failed = Failed(end.status, [], [])
      if writesJSON && !StandardOutput.hasJSON { try? StandardOutput.write(json: failed) }
      do { try StandardOutput.requireWritten() } catch { StandardError.write(failure: ["\(error)."], format) }
      onEnd?.tell(failed, status: failed.status, exitStatus: end.status)
      Foundation.exit(end.status.rawValue)
    case let failure as MergeFailure:
      finish(failure)
    case let error as PostgresError where error.origin == .connectionLost || error.origin == .connecting:
      finish(.unreachable(error))
    case let error as PostgresError where error.origin == .foreignSession:
      finish(.blocked, ["error \(error)", "Connect to PostgreSQL itself, not through PgBouncer or another pooler."])
    case let error as PostgresError where error.isOfRowSecurity:
      finish(
        .blocked,
        [
          "error \(error)",
          "Policies of row-level security would hide rows. Connect as a role with BYPASSRLS, or as the table's owner where it is not forced "
            + "on owners.",
        ]
      )
    case let error as PostgresError where error.sqlState == .insufficientPrivilege:
      // What a merge needs is checked before; this is init, or a command that reads what others have made.
      finish(
        .blocked,
        [
          "error \(error)",
          "Have the owner of the objects run this command, or give this role its rights: "
            + "merge-engine init --print-grants ROLE --optional-grants prints the statements.",
        ]
      )
    case let error as PostgresError:
      finish(.failed, ["error \(error)"])
    case let error as StandardOutput.Lost:
      finish(.failed, ["\(error)."])
    case let error as SnapshotError:
      finish(.failed, ["error \(error)."])
    case let error as ConfigurationError:
      finish(.configuration, ["\(error)"])
    case let error as DocumentError:
      finish(.usage, ["\(error)."])
    case let failure as ReloadFailure:
      finish(status(failure), "\(failure)".split(separator: "\n").map(String.init))
    case BenchError.noContender(let text, let names):
      finish(.usage, ["\(BenchError.noContender(text, names))"])
    case let error as BenchError:
      finish(.internalFailure, ["error \(error)"])
    case PrivateClusterError.postgresNotFound, PrivateClusterError.noUnprivilegedUser:
      // What this machine lacks, and not a bug.
      finish(.blocked, "\(error)".split(separator: "\n").map(String.init))
    case let error as PrivateClusterError:
      finish(.internalFailure, ["\(error)"])
    default:
      finishParsing()
    }
  }

  /// ArgumentParser's own errors, help and version among them; what else has no place above is a bug.
  private func finishParsing() -> Never {
    switch MergeEngineCommand.exitCode(for: error) {
    case .success: MergeEngineCommand.exit(withError: error)
    case .validationFailure:
      finish(.usage, UsageMessage(MergeEngineCommand.message(for: error), arguments: arguments).lines)
    default: finish(.internalFailure, ["\(error)"])
    }
  }

  private func finish(_ failure: MergeFailure) -> Never {
    switch failure {
    case .usage(let message):
      finish(.usage, [message])
    case .configuration(let mistakes):
      finish(.configuration, mistakes.map { "\(configurationPath): \($0)" } + ["Nothing was written."])
    case .blocked(let findings):
      finish(
        .blocked,
        findings.map { finding in (finding.table.map { "\($0): " } ?? "") + finding.message }
          + ["Nothing was written."],
        findings
      )
    case .busy(let table, let holder):
      finish(.busy, [Self.busy(table, holder)])
    case .unreachable(let error):
      finish(
        .unreachable,
        ["error \(error)", ConnectionAdvice.sentence(for: error)]
      )
    }
  }

  /// The file that was read.
  private var configurationPath: String {
    for (index, argument) in arguments.enumerated() {
      if argument == "--config", arguments.indices.contains(index + 1) { return arguments[index + 1] }
      if argument.hasPrefix("--config=") { return String(argument.dropFirst("--config=".count)) }
    }
    return ConfigurationFile.defaultName
  }

  private static func busy(_ table: String, _ holder: LockHolder?) -> String {
    guard let holder else {
      return "another merge holds the table \(table). Wait for it to end, or check with merge-engine status."
    }
    let process = "server process \(holder.processID)"
    guard let run = holder.runID else {
      return "another merge-engine, \(process), holds the table \(table). Wait for it to end."
    }
    return
      "run \(run), \(process), holds the table \(table). Wait for it to end (merge-engine status --watch), or stop it: "
      + "merge-engine control \(run) --stop"
  }

  private func status(_ failure: ReloadFailure) -> ExitStatus {
    switch failure {
    case .badLoad, .taskFailed, .validationFailed: .loadFailed
    case .unreachable: .unreachable
    case .interrupted: .interrupted
    case .nothingToResume: .usage
    case .underWay: .busy
    }
  }

  private func finish(_ status: ExitStatus, _ lines: [String], _ findings: [MergeEngine.Finding] = []) -> Never {
    let shown = ShownArguments(arguments)
    let lines = lines.map(shown.clean)
    LiveArea.shared.end()
    StandardError.write(failure: lines, format)
    let failed = Failed(status, lines, findings)
    if writesJSON && !StandardOutput.hasJSON { try? StandardOutput.write(json: failed) }
    onEnd?.tell(failed, status: failed.status, exitStatus: status)
    Foundation.exit(status.rawValue)
  }

  /// The one JSON object of a command that has no result.
  private struct Failed: Encodable {
    let status: String
    let exitStatus: Int
    let message: String?
    let findings: [MergeEngine.Finding]

    init(_ status: ExitStatus, _ lines: [String], _ findings: [MergeEngine.Finding]) {
      self.status = status.outcome
      exitStatus = Int(status.rawValue)
      message = lines.isEmpty ? nil : lines.joined(separator: " ")
      self.findings = findings
    }

    private enum CodingKeys: String, CodingKey {
      case status, message, findings
      case exitStatus = "exit_status"
    }
  }
}

/// A command has said all it has to say and ends with a status other than 0.
struct CommandEnd: Error {
  let status: ExitStatus
}
