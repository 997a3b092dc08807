import Libpq

/// Where a pair of shards lies, and what the node calls them.
struct ShardPlacement: Sendable, Hashable {
  /// The position of its tables in the list that was asked for.
  let table: Int
  let pair: ShardPair
  let staging: Identifier
  let production: Identifier
  let node: CitusNode

  /// Reads the pairs of shards of some tables.
  ///
  /// - Parameter tables: oids of staging and production tables, each distributed as the other.
  /// - Throws: ``Unusable`` for shards that are not on exactly one node with the cluster's catalog.
  static func read(
    _ tables: [(staging: UInt32, production: UInt32)],
    _ connection: Connection
  ) throws -> [ShardPlacement] {
    let rows = try connection.query(
      """
      SELECT t.position, s.shardid, p.shardid, (s.name)[cardinality(s.name)], (p.name)[cardinality(p.name)],
             n.groupid, n.nodename, n.nodeport,
             coalesce((SELECT count(*) FROM pg_catalog.pg_dist_placement AS o WHERE o.shardid = p.shardid) = 1
                      AND l.groupid = n.groupid AND n.isactive AND n.metadatasynced, false)
      FROM unnest($1::text[]::oid[], $2::text[]::oid[]) WITH ORDINALITY AS t (staging, production, position)
      JOIN (SELECT d.*, parse_ident(pg_catalog.shard_name(d.logicalrelid, d.shardid)) AS name
            FROM pg_catalog.pg_dist_shard AS d) AS p ON p.logicalrelid::oid = t.production
      -- What has no partner or no node is seen, and refused.
      LEFT JOIN (SELECT d.*, parse_ident(pg_catalog.shard_name(d.logicalrelid, d.shardid)) AS name
                 FROM pg_catalog.pg_dist_shard AS d) AS s
        ON s.logicalrelid::oid = t.staging AND s.shardminvalue = p.shardminvalue AND s.shardmaxvalue = p.shardmaxvalue
      LEFT JOIN pg_catalog.pg_dist_placement AS k ON k.shardid = p.shardid
      LEFT JOIN pg_catalog.pg_dist_placement AS l ON l.shardid = s.shardid
      LEFT JOIN pg_catalog.pg_dist_node AS n ON n.groupid = k.groupid AND n.noderole::text = 'primary'
      ORDER BY n.groupid, t.position, p.shardid
      """,
      [.textArray(tables.map { "\($0.staging)" }), .textArray(tables.map { "\($0.production)" })],
      "reading where the shards lie"
    )
    return try (0..<rows.count).map { row in
      let placement = ShardPlacement(
        table: (rows.integer(row, 0) ?? 1) - 1,
        pair: ShardPair(staging: rows.integer(row, 1) ?? 0, production: rows.integer(row, 2) ?? 0),
        staging: Identifier(rows.text(row, 3) ?? ""),
        production: Identifier(rows.text(row, 4) ?? ""),
        node: CitusNode(
          groupID: rows.integer(row, 5) ?? 0,
          name: rows.text(row, 6) ?? "",
          port: rows.integer(row, 7) ?? 0
        )
      )
      guard rows.bool(row, 8) == true else { throw Unusable(placement: placement) }
      return placement
    }
  }

  /// A shard that can't be merged by the node that has it.
  struct Unusable: Error, CustomStringConvertible {
    let placement: ShardPlacement

    var description: String {
      "the shard \(placement.production) is kept on several nodes or apart from staging's, or its node is not active or lacks the "
        + "cluster's catalog (see pg_dist_node): merge without --on-nodes."
    }
  }
}
