import Libpq

/// How far the furthest standby is behind.
enum ReplicaLag {
  /// `replay_lag` stays as it was when a standby falls silent; then the age of its last word counts.
  private static let query: SQL = """
    SELECT count(*),
           coalesce(max(extract(epoch FROM greatest(
             replay_lag,
             CASE WHEN replay_lsn < pg_current_wal_lsn() THEN clock_timestamp() - reply_time END))), 0)::float8,
           count(*) FILTER (WHERE state IS NULL), count(*) FILTER (WHERE state IS NOT NULL AND replay_lsn IS NULL)
    FROM pg_stat_replication
    WHERE $1::text IS NULL OR application_name = $1
    """

  /// - Returns: infinity when the standby that was named is not connected: nobody can say what it has.
  static func seconds(_ connection: Connection, replica: String?) throws(PostgresError) -> Double {
    let result = try connection.query(query, [.text(replica)], "reading how far standbys lag")
    if replica != nil, result.integer(0, 0) == 0 { return .infinity }
    return result.double(0, 1) ?? 0
  }

  /// - Returns: why the lag can't be seen; nil if it can.
  static func obstacle(_ connection: Connection, replica: String?) throws(PostgresError) -> String? {
    let result = try connection.query(query, [.text(replica)], "reading how far standbys lag")
    let count = result.integer(0, 0) ?? 0
    if let replica, count == 0 { return "there is no standby whose application_name is \(replica)" }
    // Without the right to see it every column of a standby is NULL, its state among them.
    if let hidden = result.integer(0, 2), hidden > 0 {
      return "this role may not see how far standbys lag; grant it pg_monitor"
    }
    // pg_receivewal and its like keep WAL without replaying it. Among others they don't count.
    if let replica, result.integer(0, 3) == count {
      return "\(replica) does not report what it has replayed; name a standby that does, or none"
    }
    return nil
  }
}
