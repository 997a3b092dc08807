import Libpq

/// A server of a Citus cluster, as the cluster knows it.
struct CitusNode: Sendable, Hashable, CustomStringConvertible {
  /// What placements speak of; it stays when the node gets another address.
  let groupID: Int
  let name: String
  let port: Int

  /// As `10.0.0.5:5432`.
  var description: String { "\(name):\(port)" }

  /// What a session on a node begins with: it sees the shards in the catalog, and what it makes stays on the node.
  static let startOptions = "-c citus.enable_ddl_propagation=off -c citus.override_table_visibility=off"

  /// Whether a connection leads to the coordinator of the cluster, which has the group 0.
  static func isCoordinator(_ connection: Connection) throws(PostgresError) -> Bool {
    try connection.query("SELECT groupid FROM pg_catalog.pg_dist_local_group", "asking the node who it is")
      .integer(0, 0) == 0
  }

  /// Whether a connection leads to this node: an address may be mapped to the wrong one.
  func isAt(_ connection: Connection) throws(PostgresError) -> Bool {
    try connection.query("SELECT groupid FROM pg_catalog.pg_dist_local_group", "asking node \(self) who it is")
      .integer(0, 0) == groupID
  }
}
