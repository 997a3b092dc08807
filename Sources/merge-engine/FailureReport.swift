import ArgumentParser
import Bench
import DMS
import Foundation
import Libpq
import MergeEngine
import PrivateCluster
import Reload

/// What a failed command says on stderr, and the status it ends with.
struct FailureReport {
  private let error: any Error
  private let format: LogFormat

  init(_ error: any Error, format: LogFormat) {
    self.error = error
    self.format = format
  }

  /// Prints the message and ends the process.
  func exit() -> Never {
    switch error {
    case let end as CommandEnd:
      Foundation.exit(end.status.rawValue)
    case let failure as MergeFailure:
      finish(failure)
    case let error as PostgresError where error.origin == .connectionLost || error.origin == .connecting:
      finish(.unreachable(error))
    case let error as PostgresError where error.origin == .foreignSession:
      finish(.blocked, ["error \(error)", "Connect to PostgreSQL itself, past PgBouncer and its like."])
    case let error as PostgresError where error.sqlState == .insufficientPrivilege:
      // What a merge needs is checked before; this is init or status.
      finish(.blocked, ["error \(error)", "Have the owner of the objects run this command."])
    case let error as PostgresError:
      finish(.failed, ["error \(error)"])
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
    case let error as PrivateClusterError:
      finish(.internalFailure, ["\(error)"])
    default:
      // ArgumentParser's own errors, help and version among them, with its own status (64 for wrong usage).
      MergeEngineCommand.exit(withError: error)
    }
  }

  private func finish(_ failure: MergeFailure) -> Never {
    switch failure {
    case .usage(let message):
      finish(.usage, [message])
    case .configuration(let mistakes):
      finish(.configuration, mistakes + ["Nothing was written."])
    case .blocked(let findings):
      finish(
        .blocked,
        findings.map { finding in (finding.table.map { "\($0): " } ?? "") + finding.message }
          + ["Nothing was written."]
      )
    case .busy(let table):
      finish(.busy, ["another merge holds the table \(table). Wait for it to end, or look with merge-engine status."])
    case .unreachable(let error):
      finish(
        .unreachable,
        ["error \(error)", ConnectionAdvice.sentence(for: error)]
      )
    }
  }

  private func status(_ failure: ReloadFailure) -> ExitStatus {
    switch failure {
    case .badLoad, .taskFailed: .loadFailed
    case .unreachable: .unreachable
    case .interrupted: .interrupted
    case .nothingToResume: .usage
    case .underWay: .busy
    }
  }

  private func finish(_ status: ExitStatus, _ lines: [String]) -> Never {
    StandardError.write(failure: lines, format)
    Foundation.exit(status.rawValue)
  }
}

/// A command has said all it has to say and ends with a status other than 0.
struct CommandEnd: Error {
  let status: ExitStatus
}
