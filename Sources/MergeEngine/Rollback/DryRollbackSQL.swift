import Libpq

/// The questions of a dry run about one table.
struct DryRollbackSQL {
  let sql: RollbackSQL

  private var table: RollbackTable { sql.table }
  private var previous: Identifier { BeforeImageTable.previousXID }

  /// The images that would be taken back if nothing referred to their rows: those of untouched rows, and of each what the same
  /// row was before, if the same run, or one transaction of it, has left that. Each with the first image's address.
  private var chain: SQL {
    let next = table.key.map { "s.\($0.name) \($0.equality) c.\($0.name)" as SQL }.joined(" AND ")
    let carried = [RollbackSQL.imageAddress, RollbackSQL.rowTable, RollbackSQL.rowAddress] + sql.referenceColumns
    return """
      WITH RECURSIVE chain AS (
        SELECT s.\(previous) AS \(previous), \(sql.insertedColumns)
        FROM \(table.image) AS s JOIN \(table.production) AS p ON \(sql.isProbablyUntouched)
        WHERE coalesce(s.\(previous) <> s.xmin, true)
        UNION ALL
        SELECT s.\(previous), \(carried.map { "c.\($0)" as SQL }.joined(", "))
        FROM chain AS c JOIN \(table.image) AS s ON \(next) AND s.xmin = c.\(previous)
        WHERE coalesce(s.\(previous) <> s.xmin, true)
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

  /// A child's row (alias `c`) that becomes again one that refers elsewhere.
  ///
  /// Told by the child's rows alone: with the parent's in it, the server could only ask this once more for each parent.
  static func pointsElsewhere(_ link: RowReferences.Link) -> SQL? {
    guard let child = link.child?.sql.table else { return nil }
    let imageColumns = child.key.map(\.name) + child.columns.map(\.name)
    guard link.reference.childColumns.allSatisfy(imageColumns.contains) else { return nil }
    let sameKey = child.key.map { "i.\($0.name) \($0.equality) c.\($0.name)" as SQL }.joined(" AND ")
    return """
      EXISTS (SELECT FROM \(child.image) AS i
              WHERE \(sameKey) AND i.xmin = c.xmin AND i.\(BeforeImageTable.previousXID) IS NOT NULL
                AND NOT coalesce(\(link.reference.areAlike("i", "c")), false))
      """
  }
}
