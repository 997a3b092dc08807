import Foundation
import Libpq

/// Where the rows that are merged, or compared, come from.
public enum RowSource: Sendable {
  /// Staging tables in production's own database.
  case besideProduction
  /// Staging tables in another database, perhaps on another server.
  case database(ConnectionDescription)
  /// The folder of a snapshot, which only ``Merger/merge(from:options:progress:)`` reads.
  case snapshot(URL)
}

extension RowSource {
  /// The database that staging is in, if it is not production's.
  func target(besides production: ConnectionTarget) -> ConnectionTarget? {
    if case .database(let database) = self { database.target.unlessDatabase(of: production) } else { nil }
  }

  /// The snapshot, opened; nil for staging tables.
  var snapshot: Snapshot? {
    get throws {
      if case .snapshot(let directory) = self { try Snapshot(directory: directory) } else { nil }
    }
  }

  /// As ``target(besides:)``, for what reads staging tables.
  ///
  /// - Throws: ``MergeError/invalidRequest(_:)`` for a snapshot.
  func stagingTarget(for purpose: String, besides production: ConnectionTarget) throws(MergeError) -> ConnectionTarget?
  {
    guard case .snapshot = self else { return target(besides: production) }
    throw .invalidRequest("\(purpose) is about staging tables: a snapshot can only be merged.")
  }
}
