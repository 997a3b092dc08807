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
  let isPartition: Bool
  /// Size in blocks of 8 KiB now, without TOAST; 0 for partitioned tables.
  let blockCount: Int
  /// Rows by the last ANALYZE or VACUUM; nil if there was none.
  let estimatedRowCount: Int?
  let columns: [CatalogColumn]
  let primaryKey: PrimaryKey?

  func column(_ name: Identifier) -> CatalogColumn? {
    columns.first { $0.name == name }
  }

  /// The primary key's columns in the index's order.
  struct PrimaryKey: Sendable {
    let columns: [Column]
    /// DEFERRABLE keys can't arbitrate ON CONFLICT.
    let isDeferrable: Bool
    /// WITHOUT OVERLAPS: two rows of one key differ in a period, and no single row is the one of that key.
    var isTemporal = false

    struct Column: Sendable {
      let name: Identifier
      /// The equality operator of the index, as `OPERATOR("pg_catalog".=)`.
      let equality: SQL
    }
  }
}

/// A foreign key between two tables of the production schema.
struct ForeignKey: Sendable, Hashable {
  let child: UInt32
  let parent: UInt32
}
