import Libpq

/// The questions of a dry run about one table.
struct DryRollbackSQL {
  let sql: RollbackSQL

  private var table: RollbackTable { sql.table }
  private var previous: Identifier { BeforeImageTable.previousXID }

  /// Of images of one row, written twice by one transaction, the one that says what was there before.
  private var isFirstOfTransaction: SQL { "coalesce(s.\(previous) <> s.xmin, true)" }

  /// The images that would be taken back if nothing referred to their rows: those of untouched rows, and of each what the same
  /// row was before, if the same run, or one transaction of it, has left that. Each with the first image's address.
  private var chain: SQL {
    let carried = [RollbackSQL.imageAddress, RollbackSQL.rowTable, RollbackSQL.rowAddress] + sql.referenceColumns
    return """
      WITH RECURSIVE chain AS (
        SELECT s.\(previous) AS \(previous), \(sql.insertedColumns)
        FROM \(table.image) AS s JOIN \(table.production) AS p ON \(sql.isProbablyUntouched)
        WHERE \(isFirstOfTransaction)
        UNION ALL
        SELECT s.\(previous), \(carried.map { "c.\($0)" as SQL }.joined(", "))
        FROM chain AS c JOIN \(table.image) AS s ON \(sameKey("s", "c")) AND s.xmin = c.\(previous)
        WHERE \(isFirstOfTransaction)
      )
      """
  }

  /// The inserted rows that would be deleted if nothing referred to them, as ``RowReferences`` wants them.
  var inserted: SQL {
    let columns = [RollbackSQL.imageAddress, RollbackSQL.rowTable, RollbackSQL.rowAddress] + sql.referenceColumns
    return "\(chain) SELECT \(columns.joined()) FROM chain WHERE \(previous) IS NULL"
  }

  /// What, and how many: `restored`, `deleted` if nothing is referred to, and a line for each reason to leave rows alone.
  func counts(_ leftAlone: SQL) -> SQL {
    """
    \(chain)
    SELECT 'restored', (SELECT count(*) FROM chain WHERE \(previous) IS NOT NULL) + (\(sql.reinsertableCount))
    UNION ALL
    SELECT 'deleted', count(*) FROM chain WHERE \(previous) IS NULL
    UNION ALL
    SELECT l.reason, count(*) FROM (\(leftAlone)) AS l WHERE l.reason IS NOT NULL GROUP BY l.reason
    """
  }

  /// Some of the rows that would be left alone: key and reason.
  static func leftRows(_ leftAlone: SQL, limit: Int) -> SQL {
    "SELECT l.key, l.reason FROM (\(leftAlone)) AS l WHERE l.reason IS NOT NULL LIMIT \(limit)"
  }

  /// What rows become again as far as they are put back: the last image of each chain that holds an old row, with these columns of its own.
  /// One that was inserted by the run, and stays for another reason, goes back to that.
  private func endings(_ columns: [Identifier]) -> SQL {
    let sameRow = "\(sameKey("s", "c")) AND s.xmin = c.\(previous) AND \(isFirstOfTransaction)" as SQL
    let names = (table.key.map(\.name) + columns).reduce(into: [Identifier]()) { names, name in
      if !names.contains(name) { names.append(name) }
    }
    let own = names.map { ", s.\($0)" as SQL }.joined("")
    return """
      WITH RECURSIVE chain AS (
        SELECT s.\(previous), p.tableoid AS \(RollbackSQL.rowTable), p.ctid AS \(RollbackSQL.rowAddress)\(own)
        FROM \(table.image) AS s JOIN \(table.production) AS p ON \(sql.isProbablyUntouched)
        WHERE \(isFirstOfTransaction)
        UNION ALL
        SELECT s.\(previous), c.\(RollbackSQL.rowTable), c.\(RollbackSQL.rowAddress)\(own)
        FROM chain AS c JOIN \(table.image) AS s ON \(sameRow)
      )
      SELECT c.* FROM chain AS c
      WHERE c.\(previous) IS NOT NULL
        AND NOT EXISTS (SELECT FROM \(table.image) AS s WHERE \(sameRow) AND s.\(previous) IS NOT NULL)
      """
  }

  private func sameKey(_ left: SQL, _ right: SQL) -> SQL {
    table.key.map { "\(left).\($0.name) \($0.equality) \(right).\($0.name)" as SQL }.joined(" AND ")
  }

  /// A child's row (alias `c`) that becomes again one that refers elsewhere.
  ///
  /// Told by the child's rows alone: with the parent's in it, the server could only ask this once more for each parent.
  static func pointsElsewhere(_ link: RowReferences.Link) -> SQL? {
    guard let child = link.child?.sql else { return nil }
    let imageColumns = child.table.key.map(\.name) + child.table.columns.map(\.name)
    let columns = link.reference.childColumns
    guard columns.allSatisfy(imageColumns.contains) else { return nil }
    return """
      EXISTS (SELECT FROM (\(DryRollbackSQL(sql: child).endings(columns))) AS i
              WHERE i.\(RollbackSQL.rowTable) = c.tableoid AND i.\(RollbackSQL.rowAddress) = c.ctid
                AND NOT coalesce(\(link.reference.areAlike("i", "c")), false))
      """
  }
}
