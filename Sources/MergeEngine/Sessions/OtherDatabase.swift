import Libpq

extension ConnectionTarget {
  /// This database, if it is another one than production's; nil if both lead to the same, by whatever names and addresses, as the same user.
  ///
  /// Tables of another database are called otherwise in the ledger: whoever said now the one and now the other of the same tables would have
  /// merged rows read again. Another user may have rights that production's lacks, and keeps a session of its own. Where a database does
  /// not answer, it is for whoever needs it to say so.
  package func unlessDatabase(of production: ConnectionTarget) -> ConnectionTarget? {
    guard let own = try? place(), let other = try? production.place(), own == other else { return self }
    return nil
  }

  /// What nobody has elsewhere: when the server was started, the database's number there, and the user.
  private func place() throws(PostgresError) -> [String?] {
    let connection = try Connection(to: self, applicationName: "merge-engine control") { _ in }
    let row = try connection.query(
      """
      SELECT extract(epoch FROM pg_postmaster_start_time())::text, (SELECT oid::text FROM pg_database WHERE datname = current_database()),
             session_user::text
      """,
      "asking which database this is"
    )
    return [row.text(0, 0), row.text(0, 1), row.text(0, 2)]
  }
}
