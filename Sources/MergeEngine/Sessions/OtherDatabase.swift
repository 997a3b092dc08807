import Libpq

extension ConnectionTarget {
  /// This database, if it is another one than production's; nil if both lead to the same, by whatever names and addresses.
  ///
  /// Tables of another database are called otherwise in the ledger: whoever said now the one and now the other of the same tables would have
  /// merged rows read again. Where a database does not answer, it is for whoever needs it to say so.
  package func unlessDatabase(of production: ConnectionTarget) -> ConnectionTarget? {
    guard let own = try? place(), let other = try? production.place(), own == other else { return self }
    return nil
  }

  /// What no other database has: when its server was started, and its number there.
  private func place() throws(PostgresError) -> [String?] {
    let connection = try Connection(to: self, applicationName: "merge-engine control") { _ in }
    let row = try connection.query(
      """
      SELECT extract(epoch FROM pg_postmaster_start_time())::text, (SELECT oid::text FROM pg_database WHERE datname = current_database())
      """,
      "asking which database this is"
    )
    return [row.text(0, 0), row.text(0, 1)]
  }
}
