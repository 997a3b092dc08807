import Libpq

/// Why a command could not do what it was asked to, in the words of the contract's exit statuses.
package enum MergeFailure: Error, Sendable {
  /// What was asked makes no sense.
  case usage(String)
  /// The configuration file speaks of tables or columns that there are none of, a sentence each.
  case configuration([String])
  /// Something about the tables or rights stands against it; nothing was written.
  case blocked([Finding])
  /// Another merge holds the table.
  case busy(table: String)
  /// The database can't be reached, or refused the login.
  case unreachable(PostgresError)
}
