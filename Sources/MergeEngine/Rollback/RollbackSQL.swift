import Libpq

/// The statements that take a batch back. Images have the alias `s`, production `p`; `range` is a stretch of the images.
///
/// ``undone`` collects the keys that were taken back, for the images and staging rows that follow from them; its columns,
/// like those of every CTE, are numbered, since a column of production may have any name.
struct RollbackSQL {
  let table: RollbackTable
  /// The session's temporary table of keys that the transaction has taken back.
  var undone = Identifier("merge_engine_undone")
  /// The session's temporary table of inserted rows that the transaction has locked.
  var locked = Identifier("merge_engine_locked")

  private var previous: Identifier { BeforeImageTable.previousXID }
  private var keyIndices: Range<Int> { table.key.indices }

  /// The image belongs to the production row, which nobody has touched since.
  var isUntouched: SQL { "\(sameKey("p", "s")) AND p.xmin = s.xmin" }

  /// The same for questions about all images, whose plan is the server's own to choose: of two transaction ids it takes one pair
  /// in two hundred for equal, and would go through a child table once for each of the few rows that it expects then. Of a
  /// CASE it takes half for true.
  var isProbablyUntouched: SQL { "\(sameKey("p", "s")) AND CASE WHEN p.xmin = s.xmin THEN true ELSE false END" }

  private func sameKey(_ left: SQL, _ right: SQL) -> SQL {
    table.key.map { "\(left).\($0.name) \($0.equality) \(right).\($0.name)" as SQL }.joined(" AND ")
  }

  private func keys(of alias: SQL) -> SQL { table.key.map { "\(alias).\($0.name)" as SQL }.joined(", ") }

  private func numberedKeys(of alias: SQL) -> SQL {
    keyIndices.map { "\(alias).\(table.key[$0].name) AS k\($0)" as SQL }.joined(", ")
  }

  private var keyNumbers: SQL { keyIndices.map { "k\($0)" as SQL }.joined(", ") }

  var createUndone: SQL {
    """
    CREATE TEMPORARY TABLE \(undone) ON COMMIT DELETE ROWS AS
    SELECT \(numberedKeys(of: "s")), NULL::xid AS previous_xid, NULL::text AS expected FROM \(table.image) AS s WITH NO DATA
    """
  }

  /// The session's temporary table of inserted rows that are to be deleted.
  var createLocked: SQL {
    "CREATE TEMPORARY TABLE \(locked) ON COMMIT DELETE ROWS AS \(inserted(isUntouched)) WITH NO DATA"
  }

  /// The inserted rows that nobody has touched since.
  var untouchedInserted: SQL { inserted(isProbablyUntouched) }

  /// Inserted rows, each with its image's address, its own, and production's columns that ``referring(_:)`` asks for.
  private func inserted(_ isUntouched: SQL) -> SQL {
    """
    SELECT \(insertedColumns)
    FROM \(table.image) AS s JOIN \(table.production) AS p ON \(isUntouched)
    WHERE s.\(previous) IS NULL
    """
  }

  /// The columns of an image `s` and its row `p` by which references are followed.
  var insertedColumns: SQL {
    """
    s.ctid AS \(Self.imageAddress), p.tableoid AS \(Self.rowTable), p.ctid AS \(Self.rowAddress),
    \(referenceColumns.map { "p.\($0)" as SQL }.joined(", "))
    """
  }

  /// Where the image lies.
  static let imageAddress = Identifier("_merge_engine_image_tid")
  /// Where production's row lies. Its key alone may be that of a row in a child by INHERITS, too, which nobody has merged.
  static let rowTable = Identifier("_merge_engine_row_table")
  static let rowAddress = Identifier("_merge_engine_row_tid")

  /// The key, and what foreign keys refer to.
  var referenceColumns: [Identifier] {
    let keys = table.key.map(\.name)
    let referred = table.references.flatMap(\.parentColumns)
    return keys
      + referred.indices.filter { !keys.contains(referred[$0]) && !referred[..<$0].contains(referred[$0]) }
      .map { referred[$0] }
  }

  /// Whether there are images of updated rows, and of deleted ones.
  func kinds(in range: TupleRange) -> SQL {
    """
    SELECT coalesce(bool_or(s.\(previous) <> \(BeforeImageTable.deleted)), false),
           coalesce(bool_or(s.\(previous) = \(BeforeImageTable.deleted)), false)
    FROM \(table.image) AS s WHERE \(range.condition)
    """
  }

  /// Puts old rows back. The row that is put back is locked first, and only what was locked is written.
  func restore(_ range: TupleRange) -> SQL {
    let columns = table.columns
    let values = columns.indices.map { "s.\(columns[$0].name) AS c\($0)" as SQL }
    let assignments = columns.indices.filter { table.updatableColumns.map(\.name).contains(columns[$0].name) }
      .map { "\(columns[$0].name) = i.c\($0)" as SQL }
    let sameRow = keyIndices.map { "p.\(table.key[$0].name) \(table.key[$0].equality) i.k\($0)" as SQL }
    let expected = expectation(columns.indices.map { "i.c\($0)" })
    return """
      WITH image AS MATERIALIZED (
        SELECT s.ctid AS image_tid, s.\(previous) AS previous_xid, p.tableoid AS row_table, p.ctid AS row_tid,
               \(numberedKeys(of: "s")), \(values.joined(", "))
        FROM \(table.image) AS s JOIN \(table.production) AS p ON \(isUntouched)
        WHERE \(range.condition) AND s.\(previous) IS NOT NULL
        ORDER BY \(keys(of: "p"))
        FOR NO KEY UPDATE OF p
      ), restored AS (
        UPDATE \(table.production) AS p SET \(assignments.joined(", "))
        FROM image AS i WHERE \(sameRow.joined(" AND ")) AND p.tableoid = i.row_table AND p.ctid = i.row_tid
        RETURNING i.image_tid, i.previous_xid, \(keyIndices.map { "i.k\($0)" as SQL }.joined(", ")), \(expected) AS expected
      ), spent AS (
        DELETE FROM \(table.image) AS s USING restored AS r WHERE s.ctid = r.image_tid
      )
      INSERT INTO pg_temp.\(undone) (\(keyNumbers), previous_xid, expected)
      SELECT \(keyNumbers), previous_xid, expected FROM restored
      """
  }

  /// What production is to hold after its triggers, as text, which every type has; NULL where no trigger asks for a look.
  private func expectation(_ values: [SQL]) -> SQL {
    table.hasTriggers ? "ROW(\(values.joined(", ")))::text" : "NULL::text"
  }

  /// Puts deleted rows back, where nobody has inserted the key again.
  func reinsert(_ range: TupleRange) -> SQL {
    let columns = table.key.map(\.name) + table.columns.map(\.name)
    let match = keyIndices.map { "s.\(table.key[$0].name) \(table.key[$0].equality) r.k\($0)" as SQL }
    return """
      WITH reinserted AS (
        INSERT INTO \(table.production) AS p (\(columns.joined())) OVERRIDING SYSTEM VALUE
        SELECT \(columns.map { "s.\($0)" as SQL }.joined(", ")) FROM \(table.image) AS s
        WHERE \(range.condition) AND s.\(previous) = \(BeforeImageTable.deleted)
          AND NOT EXISTS (SELECT FROM \(table.production) AS p WHERE \(sameKey("p", "s")))
        RETURNING \(numberedKeys(of: "p"))
      ), spent AS (
        DELETE FROM \(table.image) AS s USING reinserted AS r
        WHERE s.\(previous) = \(BeforeImageTable.deleted) AND \(match.joined(" AND "))
      )
      INSERT INTO pg_temp.\(undone) (\(keyNumbers), previous_xid, expected)
      SELECT \(keyIndices.map { "r.k\($0)" as SQL }.joined(", ")), \(BeforeImageTable.deleted),
             \(expectation(table.columns.map { "s.\($0.name)" }))
      FROM reinserted AS r JOIN \(table.image) AS s ON s.\(previous) = \(BeforeImageTable.deleted) AND \(match.joined(" AND "))
      """
  }

  /// How many deleted rows ``reinsert(_:)`` would put back.
  var reinsertableCount: SQL {
    """
    SELECT count(*) FROM \(table.image) AS s
    WHERE s.\(previous) = \(BeforeImageTable.deleted)
      AND NOT EXISTS (SELECT FROM \(table.production) AS p WHERE \(sameKey("p", "s")))
    """
  }

  /// Locks inserted rows against new references to them, so that ``leaveReferred(to:unlessFrom:)``, a statement later, sees all
  /// there are.
  func lockInserted(_ isWanted: SQL) -> SQL {
    "INSERT INTO pg_temp.\(locked) \(inserted(isUntouched)) AND \(isWanted) ORDER BY \(keys(of: "p")) FOR UPDATE OF p"
  }

  /// Lets the planner hash a child table, or sends it back to the indexes that the other statements are written for.
  static func allowsHashing(_ isAllowed: Bool) -> SQL {
    let value: SQL = isAllowed ? "on" : "off"
    return "SET LOCAL enable_hashjoin = \(value); SET LOCAL enable_seqscan = \(value)"
  }

  /// Takes the rows that a reference leads to out of those that are to be deleted.
  ///
  /// - Parameter child: the child's statements, if its locked rows are deleted by the same statement and so don't count.
  func leaveReferred(to reference: Reference, unlessFrom child: RollbackSQL? = nil) -> SQL {
    let isLocked = child.map { " AND NOT \(Self.isAmong("pg_temp.\($0.locked)", "c"))" as SQL } ?? ""
    return "DELETE FROM pg_temp.\(locked) AS p WHERE EXISTS (\(referring(reference))\(isLocked))"
  }

  /// Whether a row is one of `rows`, which have ``insertedColumns``.
  static func isAmong(_ rows: SQL, _ row: SQL) -> SQL {
    "EXISTS (SELECT FROM \(rows) AS i WHERE i.\(rowTable) = \(row).tableoid AND i.\(rowAddress) = \(row).ctid)"
  }

  /// Deletes inserted rows that nothing else refers to.
  ///
  /// Of several tables in one statement: the server looks at foreign keys when all of its rows are gone, so that it takes rows
  /// that refer to each other around a circle, whatever the constraints are. It acts on none of those rows then (SET NULL).
  static func deleteLocked(_ tables: [RollbackSQL]) -> SQL {
    let parts = tables.enumerated().map { number, sql -> SQL in
      """
      deleted\(number) AS (
        DELETE FROM \(sql.table.production) AS p USING pg_temp.\(sql.locked) AS l
        WHERE \(sql.sameKey("p", "l")) AND p.tableoid = l.\(rowTable) AND p.ctid = l.\(rowAddress)
        RETURNING l.\(imageAddress) AS image_tid, \(sql.numberedKeys(of: "l"))
      ), spent\(number) AS (
        DELETE FROM \(sql.table.image) AS s USING deleted\(number) AS d WHERE s.ctid = d.image_tid
      ), undone\(number) AS (
        INSERT INTO pg_temp.\(sql.undone) (\(sql.keyNumbers)) SELECT \(sql.keyNumbers) FROM deleted\(number)
      )
      """
    }
    return "WITH \(parts.joined(", ")) SELECT"
  }

  /// Of rows that no RETURNING has shown, since a trigger has swallowed the statement's row: those that it has put back itself, in
  /// its own way. By value, and written by this very transaction.
  func takeRestored(_ range: TupleRange) -> SQL {
    let values = table.columns.map { "p.\($0.name)" as SQL }.joined(", ")
    let old = table.columns.map { "s.\($0.name)" as SQL }
    return """
      WITH restored AS MATERIALIZED (
        SELECT s.ctid AS image_tid, s.\(previous) AS previous_xid, \(numberedKeys(of: "s")), \(expectation(old)) AS expected
        FROM \(table.image) AS s JOIN \(table.production) AS p ON \(sameKey("p", "s"))
        WHERE \(range.condition) AND s.\(previous) IS NOT NULL AND \(Horizon.isOwn("p.xmin"))
          AND ROW(\(values))::text = ROW(\(old.joined(", ")))::text
      ), spent AS (
        DELETE FROM \(table.image) AS s USING restored AS r WHERE s.ctid = r.image_tid
      )
      INSERT INTO pg_temp.\(undone) (\(keyNumbers), previous_xid, expected)
      SELECT \(keyNumbers), previous_xid, expected FROM restored
      """
  }

  /// The same of rows that were to be deleted, and are gone.
  var takeDeleted: SQL {
    """
    WITH deleted AS MATERIALIZED (
      SELECT s.ctid AS image_tid, \(numberedKeys(of: "l"))
      FROM pg_temp.\(locked) AS l JOIN \(table.image) AS s ON s.ctid = l.\(Self.imageAddress)
      WHERE NOT EXISTS (SELECT FROM \(table.production) AS p WHERE \(sameKey("p", "l")))
    ), spent AS (
      DELETE FROM \(table.image) AS s USING deleted AS d WHERE s.ctid = d.image_tid
    )
    INSERT INTO pg_temp.\(undone) (\(keyNumbers)) SELECT \(keyNumbers) FROM deleted
    """
  }

  /// Whether one of the rows that were to be deleted, locked before, is there as this very transaction has written it.
  var isWrittenInstead: SQL {
    """
    SELECT EXISTS (SELECT FROM pg_temp.\(locked) AS l JOIN \(table.image) AS s ON s.ctid = l.\(Self.imageAddress)
                   JOIN \(table.production) AS p ON \(sameKey("p", "l"))
                   WHERE p.xmin <> s.xmin AND \(Horizon.isOwn("p.xmin")))
    """
  }

  /// The rows that refer to production's row; a row's reference to itself doesn't count.
  func referring(_ reference: Reference) -> SQL {
    let isItself: SQL =
      reference.isFrom(table.entry.productionOid) ? " AND NOT (\(sameKey("c", "p")))" : ""
    return "SELECT FROM \(reference.child) AS c WHERE \(reference.condition(child: "c"))\(isItself)"
  }

  /// Images of one row, written twice by one transaction: the first of them says what was there before.
  static func discardRepeated(_ image: QualifiedName) -> SQL {
    "DELETE FROM \(image) AS s WHERE s.\(BeforeImageTable.previousXID) = s.xmin"
  }

  /// Whether rows that are put back were written by a transaction that has images in `other`, too.
  ///
  /// Of each side the distinct ids first, which are few: joined row by row, 140,000 images took more than ten minutes.
  func hasPredecessors(in other: QualifiedName) -> SQL {
    """
    WITH overwritten AS MATERIALIZED (SELECT DISTINCT s.\(previous) AS xid FROM \(table.image) AS s),
         written AS MATERIALIZED (SELECT DISTINCT o.xmin AS xid FROM \(other) AS o)
    SELECT EXISTS (SELECT FROM overwritten AS a JOIN written AS b ON b.xid = a.xid)
    """
  }

  /// A row that was put back is again what an earlier transaction has left. The image that this transaction wrote is
  /// written again, so that its `xmin` goes on being production's.
  func follow(in other: QualifiedName) -> SQL {
    let match = keyIndices.map { "s.\(table.key[$0].name) \(table.key[$0].equality) u.k\($0)" as SQL }
    return """
      UPDATE \(other) AS s SET \(previous) = s.\(previous)
      FROM pg_temp.\(undone) AS u
      WHERE \(match.joined(" AND ")) AND s.xmin = u.previous_xid
      """
  }

  func indexKeys(of other: QualifiedName) -> SQL { "CREATE INDEX ON \(other) (\(table.key.map(\.name).joined()))" }

  /// How many rows were put back and deleted, and of how many of them triggers have made something else by now.
  var countUndone: SQL {
    """
    SELECT count(*) FILTER (WHERE u.previous_xid IS NOT NULL), count(*) FILTER (WHERE u.previous_xid IS NULL),
           \(table.hasTriggers ? "count(*) FILTER (WHERE \(isAltered))" : "0")
    FROM pg_temp.\(undone) AS u
    """
  }

  /// Production is not what it was: what was put back is another row or none, what was deleted is there again. Asked when all
  /// triggers have run, since those that run after the rows write what no RETURNING shows.
  private var isAltered: SQL {
    let match = keyIndices.map { "p.\(table.key[$0].name) \(table.key[$0].equality) u.k\($0)" as SQL }.joined(" AND ")
    let values = table.columns.map { "p.\($0.name)" as SQL }.joined(", ")
    return """
      CASE WHEN u.previous_xid IS NULL THEN EXISTS (SELECT FROM \(table.production) AS p WHERE \(match))
           ELSE NOT EXISTS (SELECT FROM \(table.production) AS p WHERE \(match) AND ROW(\(values))::text = u.expected) END
      """
  }

  /// What stands against each image that is left: its address, its key, the reason, and what refers to the row.
  ///
  /// Which rows are referred to is joined, one set for each reference: asked row by row, a child table without an index would be
  /// read once for every row.
  ///
  /// - Parameter refused: the images that the server has refused to have taken back. A row in a circle is referred to, too, and
  ///   that is not why it is left.
  func leftAlone(refused: [UInt64]) -> SQL {
    let sets = table.references.indices.map { index -> SQL in
      """
      LEFT JOIN (SELECT p.\(Self.imageAddress) AS image_tid FROM (\(untouchedInserted)) AS p
                 WHERE EXISTS (\(referring(table.references[index])))) AS r\(index)
        ON r\(index).image_tid = s.ctid
      """
    }
    let isRefused: SQL = refused.isEmpty ? "" : " AND NOT \(SQL.rows(at: refused))"
    let referred = table.references.enumerated().map { index, reference in
      "WHEN p.xmin = s.xmin AND r\(index).image_tid IS NOT NULL\(isRefused) THEN \(Self.reason(reference))" as SQL
    }
    return leftAlone(sets, referred)
  }

  /// The same where it is known which images are of rows that are referred to.
  func leftAlone(referred: [(reference: Reference, images: [UInt64])]) -> SQL {
    leftAlone([], referred.map { "WHEN \(SQL.rows(at: $0.images)) THEN \(Self.reason($0.reference))" })
  }

  private static func reason(_ reference: Reference) -> Literal { Literal("referred to by \(reference.child)") }

  private func leftAlone(_ joins: [SQL], _ referred: [SQL]) -> SQL {
    """
    SELECT DISTINCT ON (\(keys(of: "s"))) s.ctid AS image_tid, jsonb_build_object(\(keyPairs(of: "s")))::text AS key,
           CASE WHEN s.\(previous) = \(BeforeImageTable.deleted)
                THEN CASE WHEN p.\(table.key[0].name) IS DISTINCT FROM NULL THEN 'inserted since' END
                WHEN p.\(table.key[0].name) IS NOT DISTINCT FROM NULL THEN 'deleted since'
                \(referred.joined(" "))
                WHEN p.xmin = s.xmin THEN NULL
                ELSE 'changed since' END AS reason
    FROM \(table.image) AS s LEFT JOIN \(table.production) AS p ON \(sameKey("p", "s"))
    \(joins.joined("\n"))
    ORDER BY \(keys(of: "s")), p.xmin = s.xmin DESC NULLS LAST, s.\(previous) = s.xmin NULLS FIRST
    """
  }

  /// `'id', s.id`
  func keyPairs(of alias: SQL) -> SQL {
    table.key.map { "\(Literal($0.name.name)), \(alias).\($0.name)" as SQL }.joined(", ")
  }
}
