import Libpq

/// A unique index of a table, by which its rows may be told apart.
struct UniqueIndex: Sendable {
  let oid: UInt32
  let name: QualifiedName
  let isPrimary: Bool
  /// In the index's order; without the expressions of an index, which have no name.
  var columns: [Column] = []
  /// DEFERRABLE keys can't arbitrate ON CONFLICT.
  let isDeferrable: Bool
  /// What keeps it from telling all rows of the table apart, or the engine from comparing by it.
  var flaws: [Flaw] = []

  /// A column of the index.
  struct Column: Sendable {
    let name: Identifier
    /// The equality operator of the index, as `OPERATOR("pg_catalog".=)`.
    let equality: SQL
    /// The column as `ON CONFLICT` tells the index from others over the same columns: with its collation and operator class.
    let arbiter: SQL
  }

  /// Why rows can't be matched by an index.
  enum Flaw: Sendable, Hashable {
    /// It was never built to its end.
    case invalid
    /// It holds only the rows that meet its WHERE.
    case partial
    /// It holds what is computed from the columns.
    case expression
    /// WITHOUT OVERLAPS, or of another access method than btree: two rows of one key differ in a period, and no single row is
    /// the one of that key.
    case notOfEquality
    /// A column may be NULL, and rows without a value are not told apart.
    case nullable(Identifier)
    /// A column is compared by another equality than its type's own.
    case otherEquality(Identifier)
    /// A column is sorted by another collation than its own, so that a look-up by the column does not use the index.
    case otherCollation(Identifier)
  }

  /// The columns without their order.
  var columnNames: Set<Identifier> { Set(columns.map(\.name)) }
}
