import Libpq

/// The table that holds what a run has overwritten in one production table, and the keys of what it has inserted.
///
/// ```
/// _merge_engine_previous_xid | key columns | the other columns that can be written
///   NULL: the row was inserted, and only its key stands here
///   0: the row was deleted; here is what it was
///   else: the row was updated; here is what it was before, and the transaction that had written that
/// ```
/// An image is written by the very (sub)transaction that writes the production row. So for as long as production's
/// `xmin` is the image's `xmin`, nobody has touched the row since: no copy of the new row is needed to tell. `xmin`
/// survives freezing and VACUUM FULL; a row that was dumped and restored, or rewritten by ALTER TABLE, counts as changed.
struct BeforeImageTable: Sendable {
  let name: QualifiedName

  static let previousXID = Identifier("_merge_engine_previous_xid")

  /// What stands in ``previousXID`` for a row that was deleted: no transaction has this id.
  static let deleted: SQL = "'0'::xid"

  /// The longest name that the server keeps whole (`NAMEDATALEN - 1`).
  private static let nameByteLimit = 63

  /// `before_12_orders`; where that is too long for the server, cut to make room for the production table's oid.
  static func name(run: Int, table: String, oid: UInt32, on connection: Connection) -> String {
    let full = "before_\(run)_\(table)"
    guard connection.serverByteCount(of: full) > nameByteLimit else { return full }
    let suffix = "_\(oid)"
    var name = full.unicodeScalars
    // By code points, so that no character is cut in two.
    while connection.serverByteCount(of: String(name) + suffix) > nameByteLimit { name.removeLast() }
    return String(name) + suffix
  }

  /// The server's limits: `MaxTupleAttributeNumber` for what a statement returns, `MaxHeapAttributeNumber` for a table.
  private static let selectedColumnLimit = 1664
  private static let tableColumnLimit = 1600

  /// Why images of a table can't be kept, its rows being too wide; nil when they can.
  ///
  /// The old values and the new ones are columns of one subquery.
  static func widthObstacle(_ plan: TablePlan) -> String? {
    let kept = 1 + plan.keyColumnCount + plan.writing.restorableColumns.count
    guard kept > tableColumnLimit || kept + plan.updatedColumns.count > selectedColumnLimit else { return nil }
    return
      "\(plan.production) has \(plan.columns.count) columns, too many for --before-images, which holds old and new values of "
      + "a row side by side in at most \(selectedColumnLimit) columns. Merge it in a separate run without "
      + "--before-images (--table)."
  }

  /// Why the keys of inserted rows can't be kept; nil when they can.
  ///
  /// A row that a trigger puts into a child table comes back from no statement, so nothing would be known of it.
  static func triggerObstacle(_ plan: TablePlan) -> String? {
    guard plan.writing.triggers.onInsert && plan.writing.triggers.hasChildren else { return nil }
    return
      "a trigger of \(plan.production) may put new rows into a table that inherits from it, so --before-images would not "
      + "know of them and a rollback would leave them there. Merge it in a separate run without --before-images (--table)."
  }

  /// Makes the table, with the types underneath production's domains: a domain's NOT NULL would refuse bare keys.
  static func create(_ name: QualifiedName, for plan: TablePlan) -> SQL {
    let columns =
      (plan.keyColumns.map { ($0.name, $0.baseType) } + plan.writing.restorableColumns.map { ($0.name, $0.baseType) })
      .map { name, type in "(p.\(name))::\(type.fullName) AS \(name)" as SQL }
    // Without a key of its own, the whole row is what tells a publication's subscribers which one it is.
    return """
      CREATE TABLE \(name) AS
      SELECT NULL::xid AS \(previousXID), \(columns.joined(", ")) FROM \(plan.production) AS p WITH NO DATA;
      ALTER TABLE \(name) REPLICA IDENTITY FULL
      """
  }
}
