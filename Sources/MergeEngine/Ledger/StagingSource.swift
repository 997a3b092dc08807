import Libpq

/// What tells the content of a staging table from that of any other: ids of rows and transactions mean something only there.
struct StagingSource: Sendable, Hashable {
  /// The table: in production's database by its oid; on another server by the server, its history and the database too; of a
  /// snapshot by the snapshot.
  let identity: String
  /// The file that addresses lie in: another one after VACUUM FULL, CLUSTER and TRUNCATE.
  let fileNode: Int
  /// The table's size in blocks.
  let blockCount: Int

  /// A regular expression for the identities that this table may have had before: dropped and made anew, or its server's
  /// history another one. Those of other databases are other tables of the same name.
  let kin: String

  /// What tells the table's rows from those of any other table, and from what is there after TRUNCATE.
  var contentIdentity: String { "\(identity) \(fileNode)" }

  /// A table of a snapshot, whose addresses are numbers of rows.
  init(snapshotID: String, table: String) {
    identity = "snapshot \(snapshotID) \(table)"
    kin = "^$"
    fileNode = 0
    blockCount = 0
  }

  /// Looks at a table.
  ///
  /// On another server ids are given out again after a failover that has lost transactions, which shows in the timeline;
  /// and an unlogged table is empty after a crash, which need not show in anything, so that every start counts as one.
  ///
  /// - Parameter isElsewhere: `connection` leads to another database than production's.
  init(_ table: QualifiedName, isElsewhere: Bool, _ connection: Connection) throws(PostgresError) {
    let history: SQL =
      isElsewhere
      ? """
      concat_ws(' ', \(Self.database),
                CASE WHEN c.relpersistence = 'u' THEN extract(epoch FROM pg_postmaster_start_time())::text END) || ' '
      """ : "''"
    let row = try connection.query(
      """
      SELECT \(history) || c.oid, pg_relation_filenode(c.oid)::bigint,
             pg_relation_size(c.oid) / current_setting('block_size')::bigint
      FROM pg_class c WHERE c.oid = \(Literal(table.quoted))::regclass
      """,
      "looking at \(table)"
    )
    identity = "table \(row.text(0, 0) ?? "")"
    let words = identity.split(separator: " ")
    kin = isElsewhere && words.count > 4 ? "^table \(words[1]) [0-9]+ \(words[3]) ([0-9.]+ )?[0-9]+$" : "^table [0-9]+$"
    fileNode = row.integer(0, 1) ?? 0
    blockCount = row.integer(0, 2) ?? 0
  }

  /// Another database than production's: its server, that server's history, and itself.
  private static let database: SQL = """
    concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), (SELECT timeline_id FROM pg_control_checkpoint()),
              (SELECT oid FROM pg_database WHERE datname = current_database()))
    """

  /// What the identities of all tables of a database begin with; nothing for production's.
  static func place(isElsewhere: Bool, _ connection: Connection) throws(PostgresError) -> String {
    guard isElsewhere else { return "" }
    return try connection.query("SELECT \(database)", "looking at the database of staging").text(0, 0) ?? ""
  }

  /// The table's oid in an identity, if that is of a table at this place.
  static func oid(of identity: String, in place: String) -> String? {
    let words = identity.split(separator: " ").dropFirst().map(String.init)
    let placeWords = place.split(separator: " ").map(String.init)
    guard words.count > placeWords.count, placeWords.isEmpty ? words.count == 1 : words.starts(with: placeWords) else {
      return nil
    }
    return words.last
  }
}
