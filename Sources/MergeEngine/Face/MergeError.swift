import Libpq

/// Why an operation of a ``Merger`` could not start, or was broken off.
///
/// Facts about the data, such as rows that were refused or that differ, are not errors: they are in the report. A cancelled
/// task that has no report to return throws `CancellationError`.
public enum MergeError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The request makes no sense; a sentence says why. Nothing was written.
  case invalidRequest(String)
  /// The options name columns or tables that do not exist, one sentence each. Nothing was written.
  case unknownNames([String])
  /// Tables, rights or files prevent it. Nothing was written.
  case blocked([Finding])
  /// Another merge is working on the table: try again later. Nothing was written.
  case busy(table: String)
  /// The database can't be reached, or refused the login.
  case unreachable(ServerError)
  /// The server refused a statement that is not about rows. Batches that were committed before stay; to continue, do the
  /// same again.
  case server(ServerError)
  /// A snapshot's file could not be read or written, in a sentence.
  case file(String)

  /// - Returns: nil for what none of the cases is: a bug, to be handed on as it is.
  init?(_ error: any Error) {
    switch error {
    case let error as MergeError:
      self = error
    case MergeFailure.usage(let sentence):
      self = .invalidRequest(LibraryWords.text(sentence))
    case MergeFailure.configuration(let sentences):
      self = .unknownNames(sentences.map(LibraryWords.text))
    case MergeFailure.blocked(let findings):
      self = .blocked(findings)
    case MergeFailure.busy(let table, _):
      self = .busy(table: table)
    case MergeFailure.unreachable(let error):
      self = .unreachable(ServerError(error))
    case let error as PostgresError where error.origin == .foreignSession:
      self.init(Reaching.failure(error))
    case let error as PostgresError where error.origin == .connecting || error.origin == .connectionLost:
      self = .unreachable(ServerError(error))
    case let error as PostgresError:
      self = .server(ServerError(error))
    case let error as SnapshotError:
      self = .file(error.description)
    default:
      return nil
    }
  }

  /// A line or more, in English, for logs.
  public var description: String {
    switch self {
    case .invalidRequest(let sentence), .file(let sentence): sentence
    case .unknownNames(let sentences): sentences.joined(separator: "\n")
    case .blocked(let findings):
      findings.map { finding in (finding.table.map { "\($0): " } ?? "") + finding.explanation }.joined(separator: "\n")
    case .busy(let table): "another merge is working on the table \(table)."
    case .unreachable(let error), .server(let error): error.description
    }
  }
}
