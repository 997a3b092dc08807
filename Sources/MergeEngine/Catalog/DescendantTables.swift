import Libpq

/// A table and everything that inherits from it, partitions of every depth among them.
enum DescendantTables {
  /// `tree (oid)`, for a `WITH RECURSIVE`.
  static func tree(of table: UInt32) -> SQL {
    """
    tree AS (
      SELECT \(table)::oid AS oid
      UNION ALL
      SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
    )
    """
  }
}
