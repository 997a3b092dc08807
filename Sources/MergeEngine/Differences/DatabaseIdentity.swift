import Libpq

extension DifferenceFile.Header.Database {
  /// Asks the server who it is.
  init(_ connection: Connection) throws(PostgresError) {
    let row = try connection.query(
      """
      SELECT d.datname::text, d.oid::text, (SELECT system_identifier::text FROM pg_control_system()),
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      FROM pg_database AS d WHERE d.datname = current_database()
      """,
      "identifying the database"
    )
    self.init(
      name: row.text(0, 0) ?? "",
      oid: row.text(0, 1) ?? "",
      systemIdentifier: row.text(0, 2) ?? "",
      nextTransaction: row.integer(0, 3) ?? 0
    )
  }

  /// Why ids of rows from the file mean nothing in the database `now`; nil if they do.
  func obstacle(in now: Self) -> String? {
    guard systemIdentifier == now.systemIdentifier else {
      return "it is about the database \(name) on another server."
    }
    guard oid == now.oid else {
      return "it is about the database \(name), not \(now.name)."
    }
    // A 32-bit transaction id comes round again after so many; some distance is kept.
    guard (0..<4_000_000_000).contains(now.nextTransaction - nextTransaction) else {
      return
        "it is too old: the server's transaction ids have wrapped around since, or the server was restored to an earlier time."
    }
    return nil
  }
}
