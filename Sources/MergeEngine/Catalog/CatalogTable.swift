import Libpq

/// A table as the catalog describes it.
struct CatalogTable: Sendable {
  /// What kind of relation it is (`pg_class.relkind`).
  enum Kind: String, Sendable {
    case table = "r"
    case partitioned = "p"
    case view = "v"
    case materializedView = "m"
    case foreign = "f"
  }

  let oid: UInt32
  let name: QualifiedName
  let kind: Kind
  /// The root of the tree that it is a partition of; else itself.
  let rootOid: UInt32
  /// Rows by the last ANALYZE or VACUUM; nil if there was none.
  let estimatedRowCount: Int?
  let columns: [CatalogColumn]
  /// Its unique indexes, the primary key's first.
  let uniqueIndexes: [UniqueIndex]
  /// How its rows are stored, or those of the first of its partitions that are not on the heap.
  var storage = CatalogTable.heap
  /// It, or one of its partitions, is emptied by a crash of the server.
  var isUnlogged = false
  /// Tables inherit from it, or did once.
  var mayHaveChildren = false
  /// What Citus has made of it.
  var citus: CitusTable?

  /// The name of PostgreSQL's own way to store rows, in blocks.
  static let heap = "heap"

  var isPartition: Bool { rootOid != oid }

  var primaryKey: UniqueIndex? { uniqueIndexes.first(where: \.isPrimary) }

  func column(_ name: Identifier) -> CatalogColumn? {
    columns.first { $0.name == name }
  }
}

/// A foreign key between two tables of the production schema; a partition's is its root's.
struct ForeignKey: Sendable, Hashable {
  let child: UInt32
  let parent: UInt32
}
