import Foundation
import Libpq

/// Where a database is and how to log in to it: what libpq takes as a URI or as keywords, or libpq's own environment.
///
/// It may hold a password, so nothing that prints it shows more than ``description``.
/// Source: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>
public struct ConnectionDescription: Sendable, CustomStringConvertible, CustomReflectable {
  private(set) var target: ConnectionTarget

  /// Checks the form of the string; nothing is connected yet.
  ///
  /// - Parameter connectionString: `postgresql://user@host/database` or `host=… dbname=…`; nil for `PGHOST`, `PGSERVICE` and
  ///   their like alone.
  /// - Throws: ``MergeError/invalidRequest(_:)``, without the string, which may hold a password.
  public init(_ connectionString: String? = nil) throws(MergeError) {
    do {
      target = try ConnectionTarget(connectionString)
    } catch {
      throw .invalidRequest("the connection string is wrong: \(error.message).")
    }
  }

  /// The same database with a password that is requested for each new connection: an expiring token, or one from a secret
  /// store.
  ///
  /// - Parameter source: called on the thread that connects, which it may block. What it throws ends the attempt, with its
  ///   description as the reason; it should hold no secret.
  public func password(from source: @escaping @Sendable () throws -> String) -> ConnectionDescription {
    var other = self
    let place = description
    other.target.passwordSource = { () throws(PostgresError) in
      do {
        return try source()
      } catch {
        throw PostgresError(
          .connecting,
          message: "there is no password: \(error)",
          operation: "asking for the password of \(place)"
        )
      }
    }
    return other
  }

  /// Server and database without anything secret, as `database shop on db.example:5432`.
  public var description: String { target.description }

  /// Keeps the connection string out of `dump`.
  public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
