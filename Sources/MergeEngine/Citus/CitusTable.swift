import Libpq

/// What Citus has made of a table; of ordinary tables there is none.
///
/// What the catalog shows of such a table is a shell: its rows lie in other tables, its shards, mostly on other servers. So its
/// blocks say nothing of its rows, and rows that are read of it have no addresses.
///
/// Source: <https://docs.citusdata.com/en/stable/develop/api_metadata.html>
struct CitusTable: Sendable, Equatable {
  /// How rows are spread.
  enum Kind: Sendable, Equatable {
    /// By the values of a column.
    case distributed(by: Identifier, shardCount: Int)
    /// In one shard that lies on a single node: a table of a schema that is sharded as a whole, or one distributed by no column.
    case singleShard
    /// A copy on every node.
    case reference
    /// In one shard on the coordinator, so that other nodes know it.
    case managed
  }

  let kind: Kind
  /// Rows are distributed by the hash of a column, as Citus does unless it is told otherwise.
  var isHashed = false
  /// Tables with the same number have shards of the same ranges on the same nodes; 0 for those that have none in common.
  var colocationID = 0

  /// Whether Citus is installed, as a column of a query.
  static let isInstalled: SQL = "to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"

  /// Those of `tables` (oids) that are known to Citus.
  ///
  /// - Precondition: ``isInstalled``.
  static func read(_ tables: [UInt32], _ connection: Connection) throws(PostgresError) -> [UInt32: CitusTable] {
    let rows = try connection.query(
      """
      SELECT p.logicalrelid::oid, p.partmethod::text, p.repmodel::text, p.colocationid,
             pg_catalog.column_to_column_name(p.logicalrelid, p.partkey),
             (SELECT count(*) FROM pg_catalog.pg_dist_shard AS s WHERE s.logicalrelid = p.logicalrelid)
      FROM pg_catalog.pg_dist_partition AS p
      WHERE p.logicalrelid::oid = ANY ($1::oid[])
      """,
      [.textArray(tables.map(String.init))],
      "reading how Citus has distributed the tables"
    )
    let found = (0..<rows.count).map { row in
      let column = rows.text(row, 4).map { Identifier($0) }
      let kind: Kind =
        if let column {
          .distributed(by: column, shardCount: rows.integer(row, 5) ?? 0)
        } else if rows.text(row, 2) == "t" {
          .reference
        } else {
          rows.integer(row, 3) == 0 ? .managed : .singleShard
        }
      let table = CitusTable(
        kind: kind,
        isHashed: column != nil && rows.text(row, 1) == "h",
        colocationID: rows.integer(row, 3) ?? 0
      )
      return (UInt32(rows.integer(row, 0) ?? 0), table)
    }
    return Dictionary(uniqueKeysWithValues: found)
  }

  /// What it is, as the end of a sentence that begins with its name.
  var description: String {
    switch kind {
    case .distributed(let column, let shardCount):
      "is distributed by \(column) over \(shardCount) \(shardCount == 1 ? "shard" : "shards") (Citus)"
    case .singleShard: "is a table of one shard (Citus)"
    case .reference: "is a reference table (Citus)"
    case .managed: "is a local table that Citus manages"
    }
  }

  /// Why it can't be staging.
  ///
  /// - Parameter production: what Citus has made of its production table.
  func obstacle(asStaging name: QualifiedName, of production: CitusTable?) -> String {
    let onNodes =
      isColocated(with: production)
      ? "Its shards lie beside those of production: merge it there with --on-nodes. Or merge" : "Merge"
    return
      "\(name) \(description): its rows lie in shards, so it can't be read block by block. \(onNodes) it from files (merge-engine "
      + "snapshot save, merge-engine replay), or load into an ordinary table; Citus's undistribute_table turns it into one."
  }

  /// Has the shards of a table lie beside those of another one.
  static func distribute(_ table: QualifiedName, by column: Identifier, beside other: QualifiedName) -> SQL {
    """
    SELECT pg_catalog.create_distributed_table(
      \(Literal(table.quoted)), \(Literal(column.name)), colocate_with => \(Literal(other.quoted))
    )
    """
  }

  /// The column whose hash decides in which shard a row lies, where that is so.
  var hashedColumn: Identifier? {
    guard isHashed, case .distributed(let column, _) = kind else { return nil }
    return column
  }

  /// Whether rows of the same key lie on the same node in both.
  private func isColocated(with other: CitusTable?) -> Bool {
    guard let other, case .distributed = kind, case .distributed = other.kind else { return false }
    return colocationID == other.colocationID
  }

  /// Why a table can't be merged shard by shard on the nodes; nil if it can.
  ///
  /// - Parameters:
  ///   - production: the production table and what Citus has made of it.
  ///   - staging: its staging table, likewise.
  static func obstacleOnNodes(
    production: (name: QualifiedName, citus: CitusTable?),
    staging: (name: QualifiedName, citus: CitusTable?)
  ) -> String? {
    guard let citus = production.citus, case .distributed(let column, _) = citus.kind else {
      return
        "\(production.name) \(production.citus?.description ?? "is an ordinary table"), and only tables that are distributed by a "
        + "column are merged on the nodes. Merge it without --on-nodes; --table chooses tables."
    }
    guard staging.citus?.isColocated(with: citus) != true else { return nil }
    let undo = staging.citus == nil ? nil : Self.call("undistribute_table", "'\(staging.name)'")
    let make = Self.call(
      "create_distributed_table",
      "'\(staging.name)', '\(column)', colocate_with => '\(production.name)'"
    )
    return
      "\(staging.name) \(staging.citus?.description ?? "is an ordinary table"), and its rows don't lie beside those of "
      + "\(production.name), which \(citus.description). Have them lie there: "
      + [undo, make].compactMap(\.self).joined(separator: "; ")
  }

  /// A call of a function of Citus, for people to make.
  private static func call(_ function: String, _ arguments: String) -> String { "SELECT \(function)(\(arguments))" }

  /// Why it can't be production.
  func obstacle(asProduction name: QualifiedName) -> String? {
    guard kind == .reference else { return nil }
    return
      "\(name) \(description), which Citus does not update from rows that only the coordinator has. Merge the other tables with "
      + "--table, or make this one an ordinary table with Citus's undistribute_table."
  }

  /// Why overwritten rows can't be kept.
  func obstacleOfImages(of name: QualifiedName) -> String {
    "\(name) \(description), where rows can't be locked and kept in one statement. Merge without --before-images."
  }
}
