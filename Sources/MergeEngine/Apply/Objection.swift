import Libpq

/// A reason for production to refuse a row, as a condition on the row.
struct Objection: Sendable {
  /// True of rows that production would refuse as it is now. The row is `t`, with production's names and types, and with
  /// the columns that ``Questions`` adds.
  let condition: SQL
  /// The columns of `t` that the condition reads.
  let columns: [Identifier]
  /// What is said of such rows, to be put behind "3 rows".
  let words: String
  /// Which other rows of the same run would take it back; nil for none.
  var remedy: Remedy?
  /// The unique key whose value the first of several rows of a batch gets.
  var sharedKey: UniqueKey?
  /// What is computed of the row before the condition is asked.
  var computed: [Computed] = []
  /// It stands against rows to be inserted only, since an update leaves one of the columns alone.
  var isOfInsertsOnly = false

  /// A value of the row that the condition reads like a column.
  struct Computed: Sendable {
    let name: Identifier
    /// Names production's columns without a table.
    let expression: SQL
  }

  /// What another row that the same run merges can change.
  enum Remedy: Sendable {
    /// It may be the parent.
    case parent(ParentKey)
    /// It may give away the unique value that is wanted.
    case handover(UniqueKey)
  }

  /// A foreign key from the child's side.
  struct ParentKey: Sendable {
    let name: String
    let parent: QualifiedName
    let parentOid: UInt32
    /// The table that a merge writes the parent's rows to: the root, where it is a partition.
    let parentRootOid: UInt32
    var pairs: [Pair] = []

    struct Pair: Sendable {
      let parent: Identifier
      let child: Identifier
      /// As the server itself compares them.
      let equality: SQL
      /// The parent's collation, by which it does; nil for a type without.
      let collation: QualifiedName?
      /// A database that has nothing but what comes with the server can compare so, too.
      let isAlikeElsewhere: Bool
    }
  }

  /// A unique key that rows are not matched by, or an exclusion constraint.
  struct UniqueKey: Sendable {
    let name: String
    let indexOid: UInt32
    /// Production, or the partition that alone has it.
    let table: QualifiedName
    /// An exclusion constraint, or a key WITHOUT OVERLAPS.
    let isExclusion: Bool
    /// NULLS NOT DISTINCT.
    var nullsCollide = false
    /// Which rows a partial index has; nil for all. Names columns without a table.
    var predicate: SQL?
    /// What its predicate and its expressions read.
    var otherColumns: [Identifier] = []
    var parts: [Part] = []

    struct Part: Sendable {
      /// The column; of an expression what it is called.
      let column: Identifier
      /// Names columns without a table.
      let expression: SQL?
      /// Two rows collide where it is true of all parts.
      let collision: SQL
      /// By which the index compares, whatever the column's is; nil for a type without.
      let collation: QualifiedName?
      /// Rows of the table may be without a value.
      let isNullable: Bool
    }
  }

  /// Whether it asks for a parent.
  var isAboutParent: Bool {
    if case .parent = remedy { true } else { false }
  }

  /// Whether it asks for a parent in this table.
  func isAboutParent(_ table: UInt32) -> Bool {
    guard case .parent(let key) = remedy else { return false }
    return key.parentRootOid == table
  }
}
