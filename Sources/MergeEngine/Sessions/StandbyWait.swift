import Libpq

extension Session {
  /// Says so when a commit waits for synchronous standbys: nothing else would, for as long as none comes.
  ///
  /// - Parameters:
  ///   - backend: the process of the session that is silent.
  ///   - operation: what it is doing.
  func tellOfStandbys(_ backend: Int, _ target: ConnectionTarget, while operation: String) {
    guard let connection = try? connect(target, role: "control"),
      let names = try? connection.query(
        """
        SELECT CASE WHEN EXISTS (SELECT FROM pg_stat_activity
                                 WHERE pid = $1 AND wait_event_type = 'IPC' AND wait_event = 'SyncRep')
                    THEN current_setting('synchronous_standby_names') END
        """,
        [.bigint(backend)],
        "asking what a commit waits for"
      ).text(0, 0)
    else { return }
    logger.warning(
      """
      \(operation): the commit waits for synchronous standbys (synchronous_standby_names = '\(names)'); what it wrote is on the \
      primary's disk. It continues as soon as they answer; the first signal ends it.
      """
    )
  }
}
