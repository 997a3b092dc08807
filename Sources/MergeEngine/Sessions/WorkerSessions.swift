import Libpq
import Synchronization

/// The server's sides of a run's workers, to be ended when their connections were lost: what such a session holds
/// locked would keep the batch from being taken again.
final class WorkerSessions: Sendable {
  private struct Sides {
    var production: Set<Backend> = []
    /// Only where that is another database.
    var staging: Set<Backend> = []
  }

  private let sides = Mutex(Sides())

  /// Remembers a worker's sessions.
  func add(_ connections: WorkerConnections) {
    let production = Backend(of: connections.production)
    let staging = connections.isSplit ? Backend(of: connections.staging) : nil
    sides.withLock { sides in
      sides.production.insert(production)
      if let staging { sides.staging.insert(staging) }
    }
  }

  /// Ends those that are still there. Where staging's server can't be reached now, nothing can be done about its sessions,
  /// and the next batch will say what it meets.
  ///
  /// - Precondition: no worker is running.
  func endAll(production: Connection, staging: () throws -> Connection) throws(PostgresError) {
    let sides = sides.withLock { sides in
      defer { sides = Sides() }
      return sides
    }
    for backend in sides.production { _ = try backend.end(through: production) }
    guard !sides.staging.isEmpty, let connection = try? staging() else { return }
    for backend in sides.staging { _ = try? backend.end(through: connection) }
  }
}
