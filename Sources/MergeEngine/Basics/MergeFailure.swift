import Libpq

/// Why a command could not do what it was asked to, in the words of the contract's exit statuses.
package enum MergeFailure: Error, Sendable {
  /// What was asked makes no sense.
  case usage(String)
  /// The configuration file speaks of tables or columns that there are none of, a sentence each.
  case configuration([String])
  /// Something about the tables or rights stands against it; nothing was written.
  case blocked([Finding])
  /// Another merge holds the table; nil where it had ended before it was looked at.
  case busy(table: String, by: LockHolder?)
  /// The database can't be reached, or refused the login.
  case unreachable(PostgresError)
}

/// Who holds the lock of a table.
package struct LockHolder: Sendable, Hashable {
  /// The server's process.
  package let processID: Int
  /// The run, if it is one and of the same admin schema.
  package let runID: Int?
}
