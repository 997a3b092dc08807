import Libpq

/// The questions of a dry run about one table.
struct DryRollbackSQL {
  let sql: RollbackSQL
  let plan: RollbackPlan

  private var table: RollbackTable { sql.table }
  private var previous: Identifier { BeforeImageTable.previousXID }

  /// What, and how many: `restored`, `deleted`, and a line for each reason to leave rows alone.
  ///
  /// `chain` holds the images that will be taken back: those of untouched rows, and of each what the same row was before,
  /// if the same run, or one transaction of it, has left that.
  var counts: SQL {
    let keys = table.key.indices
    let next = keys.map { "s.\(table.key[$0].name) \(table.key[$0].equality) c.k\($0)" as SQL }.joined(" AND ")
    let found = keys.map { "p.\(table.key[$0].name) \(table.key[$0].equality) c.k\($0)" as SQL }.joined(" AND ")
    let names = keys.map { "s.\(table.key[$0].name) AS k\($0)" as SQL }.joined(", ")
    let isFree = table.references.map { "AND NOT EXISTS (\(kept($0)))" as SQL }.joined(" ")
    return """
      WITH RECURSIVE chain AS (
        SELECT s.\(previous) AS previous_xid, s.\(previous) IS NULL AS was_inserted, \(names)
        FROM \(table.image) AS s JOIN \(table.production) AS p ON \(sql.isProbablyUntouched)
        WHERE coalesce(s.\(previous) <> s.xmin, true)
        UNION ALL
        SELECT s.\(previous), s.\(previous) IS NULL, \(keys.map { "s.\(table.key[$0].name)" as SQL }.joined(", "))
        FROM chain AS c JOIN \(table.image) AS s ON \(next) AND s.xmin = c.previous_xid
        WHERE coalesce(s.\(previous) <> s.xmin, true)
      )
      SELECT 'restored', (SELECT count(*) FROM chain WHERE NOT was_inserted) + (\(sql.reinsertableCount))
      UNION ALL
      SELECT 'deleted', count(*) FROM chain AS c JOIN \(table.production) AS p ON \(found)
      WHERE c.was_inserted \(isFree)
      UNION ALL
      SELECT l.reason, count(*) FROM (\(sql.leftAlone(exempting: isTakenBack))) AS l
      WHERE l.reason IS NOT NULL GROUP BY l.reason
      """
  }

  /// Some of the rows that would be left alone: key and reason.
  func leftRows(limit: Int) -> SQL {
    "SELECT l.key, l.reason FROM (\(sql.leftAlone(exempting: isTakenBack))) AS l WHERE l.reason IS NOT NULL LIMIT \(limit)"
  }

  private func kept(_ reference: Reference) -> SQL {
    "\(sql.referring(reference))\(isTakenBack(reference).map { " AND NOT (\($0))" as SQL } ?? "")"
  }

  /// The child row goes before its parent, being inserted by the same run, or becomes one again that refers elsewhere.
  ///
  /// Told by the child's rows alone: with the parent's in it, the server could only ask this once more for each parent.
  private func isTakenBack(_ reference: Reference) -> SQL? {
    guard let child = plan.tables.first(where: { reference.isFrom($0.entry.productionOid) }) else { return nil }
    let sameKey = child.key.map { "i.\($0.name) \($0.equality) c.\($0.name)" as SQL }.joined(" AND ")
    let imageColumns = child.key.map(\.name) + child.columns.map(\.name)
    let pointsElsewhere: SQL =
      reference.childColumns.allSatisfy(imageColumns.contains)
      ? "OR NOT coalesce(\(reference.areAlike("i", "c")), false)" : ""
    return """
      EXISTS (SELECT FROM \(child.image) AS i
              WHERE \(sameKey) AND i.xmin = c.xmin AND (i.\(previous) IS NULL \(pointsElsewhere)))
      """
  }
}
