import Libpq

/// What tells the content of a staging table from that of any other: ids of rows and transactions mean something only there.
struct StagingSource: Sendable, Hashable {
  /// The table: in production's database by its oid and the server; on another server by its history and the database too; of a
  /// snapshot by the snapshot.
  ///
  /// A dump that is restored on another server makes tables that may well have the same oids, and transactions of the same ids.
  let identity: String
  /// What an earlier version called a table of production's database.
  private let formerIdentity: String?
  /// Production's server; nil where that is not to be had, or staging is elsewhere.
  private let server: String?
  /// Both.
  var identities: [String] { [identity] + (formerIdentity.map { [$0] } ?? []) }
  /// The file that addresses lie in: another one after VACUUM FULL, CLUSTER and TRUNCATE.
  let fileNode: Int
  /// The table's size in blocks.
  let blockCount: Int

  /// A regular expression for the identities that this table may have had before: dropped and made anew, it or its whole database, or
  /// its server's history another one. Those of other databases that are there are other tables of the same name.
  private let kin: String
  /// Of a table elsewhere: what it is called where its database is production's, and that database. Another user may have read it so.
  private let asProduction: InProduction?

  private struct InProduction: Hashable {
    let identity: String
    /// Its oid.
    let database: String
  }

  /// What tells the table's rows from those of any other table, and from what is there after TRUNCATE.
  var contentIdentity: String { "\(identity) \(fileNode)" }

  /// A table of a snapshot, whose addresses are numbers of rows.
  init(snapshotID: String, table: String) {
    identity = "snapshot \(snapshotID) \(table)"
    formerIdentity = nil
    server = nil
    kin = "^$"
    asProduction = nil
    fileNode = 0
    blockCount = 0
  }

  /// Looks at a table.
  ///
  /// On another server ids are given out again after a failover that has lost transactions, which shows in the timeline;
  /// and an unlogged table is empty after a crash, which need not show in anything, so that every start counts as one.
  ///
  /// - Parameters:
  ///   - isElsewhere: `connection` leads to another database than production's.
  ///   - earlier: what was found there before: it is on the same server still.
  init(
    _ table: QualifiedName,
    isElsewhere: Bool,
    after earlier: StagingSource? = nil,
    _ connection: Connection
  ) throws(PostgresError) {
    let (row, isAnswered) = try Self.asking(connection, asks: !isElsewhere && earlier == nil) {
      server throws(PostgresError) in
      try connection.query(Self.query(table, isElsewhere: isElsewhere, server: server))
    }
    let name = "table \(row.text(0, 0) ?? "")"
    server = isAnswered ? row.text(0, 3) : earlier?.server
    identity = server.map { "\(name) \($0)" } ?? name
    formerIdentity = server.map { _ in name }
    let words = identity.split(separator: " ")
    let elsewhere = { (server: String, database: String) in "\(server) [0-9]+ \(database) ([0-9.]+ )?" }
    kin =
      isElsewhere && words.count > 4
      ? "^table \(elsewhere("\(words[1])", "(?!(\(row.text(0, 4) ?? "")) )[0-9]+"))[0-9]+$"
      // Somebody may have named production's own database as another one.
      : "^table (\(elsewhere(server ?? "0", row.text(0, 4) ?? "0"))[0-9]+|[0-9]+( [0-9]+)?)$"
    asProduction =
      isElsewhere && words.count > 4
      ? InProduction(identity: "table \(words[words.count - 1]) \(words[1])", database: String(words[3])) : nil
    fileNode = row.integer(0, 1) ?? 0
    blockCount = row.integer(0, 2) ?? 0
  }

  /// Whether an identity is one that this table may have had before.
  ///
  /// - Precondition: asked in production's database.
  func isKin(_ identity: SQL) -> SQL {
    guard let asProduction else { return "\(identity) ~ \(Literal(kin))" }
    return """
      (\(identity) ~ \(Literal(kin))
       OR \(identity) = \(Literal(asProduction.identity)) AND \(Self.ownDatabase) = \(Literal(asProduction.database)))
      """
  }

  /// What is asked at first; the arguments are those of ``init(_:isElsewhere:after:_:)``.
  static func query(_ table: QualifiedName, isElsewhere: Bool, after earlier: StagingSource?) -> Query {
    query(table, isElsewhere: isElsewhere, server: !isElsewhere && earlier == nil ? numberAsText : noNumber)
  }

  private static func query(_ table: QualifiedName, isElsewhere: Bool, server: SQL) -> Query {
    let history: SQL =
      isElsewhere
      ? """
      concat_ws(' ', \(Self.database),
                CASE WHEN c.relpersistence = 'u' THEN extract(epoch FROM pg_postmaster_start_time())::text END) || ' '
      """ : "''"
    return Query(
      """
      SELECT \(history) || c.oid, pg_relation_filenode(c.oid)::bigint,
             pg_relation_size(c.oid) / current_setting('block_size')::bigint, \(server),
             \(isElsewhere ? otherDatabases : ownDatabase)
      FROM pg_class c WHERE c.oid = \(Literal(table.quoted))::regclass
      """,
      "looking at \(table)"
    )
  }

  private static let numberAsText: SQL = "\(serverNumber)::text"
  private static let noNumber: SQL = "NULL::text"

  /// The server's own number, which no dump takes along.
  static let serverNumber: SQL = "(SELECT system_identifier FROM pg_control_system())"

  /// The same as text; nil where it is not to be had.
  static func server(_ connection: Connection) throws(PostgresError) -> String? {
    let (row, isKnown) = try asking(connection, asks: true) { server throws(PostgresError) in
      try connection.query("SELECT \(server)", "asking which server this is")
    }
    return isKnown ? row.text(0, 0) : nil
  }

  /// Runs a query that has the server's number in it as text; where that is not to be had, the same query with NULL. Everybody may
  /// ask unless somebody has taken that right away.
  ///
  /// - Returns: also whether the number is in it.
  private static func asking(
    _ connection: Connection,
    asks: Bool,
    _ query: (_ server: SQL) throws(PostgresError) -> ResultSet
  ) throws(PostgresError) -> (ResultSet, Bool) {
    guard asks else { return (try query(noNumber), false) }
    let operation = "asking which server this is"
    let isPart = connection.isInTransaction
    if isPart { try connection.execute("SAVEPOINT asking", operation) }
    do throws(PostgresError) {
      let row = try query(numberAsText)
      if isPart { try connection.execute("RELEASE SAVEPOINT asking", operation) }
      return (row, true)
    } catch {
      guard error.origin == .server, [.insufficientPrivilege, .featureNotSupported].contains(error.sqlState) else {
        throw error
      }
      if isPart { try connection.execute("ROLLBACK TO SAVEPOINT asking; RELEASE SAVEPOINT asking", operation) }
      return (try query(noNumber), false)
    }
  }

  /// Another database than production's: its server, that server's history, and itself.
  private static let database: SQL = """
    concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), (SELECT timeline_id FROM pg_control_checkpoint()),
              (SELECT oid FROM pg_database WHERE datname = current_database()))
    """

  /// The oids of the other databases that are on this server, as alternatives of a regular expression.
  private static let otherDatabases: SQL =
    "(SELECT string_agg(d.oid::text, '|') FROM pg_database d WHERE d.datname <> current_database())"

  private static let ownDatabase: SQL = "(SELECT d.oid::text FROM pg_database d WHERE d.datname = current_database())"

  /// Where tables are that identities speak of.
  struct Place: Sendable {
    /// What the identities of another database's tables begin with; empty for production's.
    fileprivate let beginning: [String]
    /// Production's server.
    fileprivate let server: String?

    init(isElsewhere: Bool, _ connection: Connection) throws(PostgresError) {
      guard isElsewhere else {
        beginning = []
        server = try StagingSource.server(connection)
        return
      }
      beginning = (try connection.query("SELECT \(database)", "looking at the database of staging").text(0, 0) ?? "")
        .split(separator: " ").map(String.init)
      server = nil
    }
  }

  /// The table's oid in an identity, if that is of a table at this place.
  static func oid(of identity: String, in place: Place) -> String? {
    let words = identity.split(separator: " ").dropFirst().map(String.init)
    guard place.beginning.isEmpty else {
      return words.count > place.beginning.count && words.starts(with: place.beginning) ? words.last : nil
    }
    switch words.count {
    case 1: return words[0]
    case 2: return words[1] == place.server ? words[0] : nil
    default: return nil
    }
  }

  /// Whether an identity is of a table of another database than production's.
  static func isElsewhere(_ identity: SQL) -> SQL {
    "(starts_with(\(identity), 'table ') AND cardinality(string_to_array(\(identity), ' ')) > 4)"
  }

  /// Whether an identity is of a table that was in production's database when that was on another server: whose dump this is.
  static func isOfDumpedServer(_ identity: String, _ place: Place) -> Bool {
    let words = identity.split(separator: " ")
    return words.first == "table" && words.count == 3 && place.beginning.isEmpty
      && place.server.map { $0 != words[2] } == true
  }
}
