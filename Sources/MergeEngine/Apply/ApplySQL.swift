import Libpq

/// The statements that write a batch into production.
enum ApplySQL {
  /// The rows of a batch on the server's side, with production's column types; one per connection and table.
  static func createBatchTable(_ plan: TablePlan, _ table: Identifier) -> SQL {
    "CREATE TEMPORARY TABLE \(table) ON COMMIT DELETE ROWS AS \(batchShape(plan)) WITH NO DATA"
  }

  /// What a batch table is made from.
  private static func batchShape(_ plan: TablePlan) -> SQL {
    let columns = plan.columns.map { column -> SQL in
      if column.travel == .text { return "p.\(column.name)::text AS \(column.name)" }
      guard column.needsAssignment else { return "p.\(column.name)" }
      return "p.\(column.name)::\(column.baseType.plainName) AS \(column.name)"
    }
    return "SELECT \(columns.joined(", ")) FROM \(plan.production) AS p"
  }

  /// ``insertMissing(_:_:)`` with something in the place of the batch table that needs not be made.
  static func insertRehearsed(_ plan: TablePlan) -> SQL { insertMissing(plan, from: "(\(batchShape(plan)) LIMIT 0)") }

  /// ``updateOlder(_:_:)`` in the same way, without images: their table is not there yet.
  static func updateRehearsed(_ plan: TablePlan) -> SQL {
    update(plan, from: "(\(batchShape(plan)) LIMIT 0) AS t", where: isDue(plan))
  }

  static func copyIntoBatchTable(_ plan: TablePlan, _ table: Identifier) -> SQL {
    "COPY pg_temp.\(table) (\(plan.columns.map(\.name).joined())) FROM STDIN (FORMAT binary)"
  }

  static func emptyBatchTable(_ table: Identifier, truncates: Bool) -> SQL {
    truncates ? "TRUNCATE pg_temp.\(table)" : "DELETE FROM pg_temp.\(table)"
  }

  static func copyIntoProduction(_ plan: TablePlan) -> SQL {
    "COPY \(plan.production) (\(plan.columns.map(\.name).joined())) FROM STDIN (FORMAT binary)"
  }

  /// Inserts what is not there yet, also if somebody else inserts it at this moment.
  ///
  /// A deferrable key can't arbitrate ON CONFLICT; there the rows that can be seen are left out instead.
  static func insertMissing(_ plan: TablePlan, _ table: Identifier) -> SQL {
    insertMissing(plan, from: "pg_temp.\(table)")
  }

  /// As ``insertMissing(_:_:)`` of the newest row of each key, and returns a column of the batch table of each row that was inserted;
  /// NULL of one that a trigger has given another key.
  static func insertMissing(_ plan: TablePlan, _ table: Identifier, returning position: Identifier) -> SQL {
    let source = newest(plan, table, position)
    return """
      \(keeping(plan, insertion(plan, from: source)))
      SELECT t.\(position)::bigint FROM written AS p LEFT JOIN \(source) AS t ON \(match(plan))
      """
  }

  /// The newest row of each key in the batch table; of equally new ones the last.
  private static func newest(_ plan: TablePlan, _ table: Identifier, _ position: Identifier) -> SQL {
    let keys = plan.keyColumns.map { value($0) }.joined(", ")
    return """
      (SELECT DISTINCT ON (\(keys)) t.* FROM pg_temp.\(table) AS t
       ORDER BY \(keys), \(value(plan.version)) DESC NULLS LAST, t.\(position) DESC)
      """
  }

  private static func insertMissing(_ plan: TablePlan, from source: SQL) -> SQL {
    let insertion = insertion(plan, from: source)
    guard plan.writing.images != nil || plan.writing.triggers.onInsert else { return insertion }
    return "\(keeping(plan, insertion)) \(witness(plan, from: source, isOfInsert: true))"
  }

  /// Inserts what is still not there, without regard to who has its place: for a look at the error, as it is undone.
  static func insertAbsent(_ plan: TablePlan, _ table: Identifier) -> SQL {
    insertion(plan, from: "pg_temp.\(table)", isOfAbsent: true)
  }

  private static func insertion(_ plan: TablePlan, from source: SQL, isOfAbsent: Bool = false) -> SQL {
    let guarding: SQL =
      plan.keyIsDeferrable || isOfAbsent
      ? "WHERE NOT EXISTS (SELECT FROM \(plan.production) AS p WHERE \(match(plan)))"
      : "ON CONFLICT (\(plan.keyColumns.map { $0.arbiter ?? "\($0.name)" }.joined(", "))) DO NOTHING"
    return """
      INSERT INTO \(plan.production) AS p (\(plan.columns.map(\.name).joined())) OVERRIDING SYSTEM VALUE
      SELECT \(plan.columns.map { value($0) }.joined(", ")) FROM \(source) AS t
      \(guarding)
      """
  }

  /// The inserted keys as `written`, kept where images are.
  private static func keeping(_ plan: TablePlan, _ insertion: SQL) -> SQL {
    let key = plan.keyColumns.map(\.name).joined()
    let keeping: SQL =
      plan.writing.images.map { ", kept AS (INSERT INTO \($0.name) (\(key)) SELECT \(key) FROM written)" } ?? ""
    return "WITH written AS (\(insertion) \(returningKey(plan)), p.\(plan.version.name) AS \(version))\(keeping)"
  }

  private static func returningKey(_ plan: TablePlan) -> SQL {
    "RETURNING \(plan.keyColumns.map { "p.\($0.name)" as SQL }.joined(", "))"
  }

  /// How many rows were written, and how many of them under a key of the batch: triggers may set another one. Then how many a trigger
  /// has kept as they were, the images among which are some of rows that were not written, and how many rows were written and
  /// are still due, or inserted with another version than staging's.
  ///
  /// - Parameters:
  ///   - isOfInsert: `written` has the column ``version``, otherwise those of ``afterwards(_:_:)``.
  ///   - doubtful: the images in question.
  private static func witness(
    _ plan: TablePlan,
    from source: SQL,
    isOfInsert: Bool,
    doubtful: SQL = "NULL::text"
  ) -> SQL {
    let written = plan.keyColumns.map { "w.\($0.name)" as SQL }
    let staged = plan.keyColumns.map(value)
    // Not a join: on these connections it would be a nested loop, without an index.
    func sameCount(_ written: [SQL], _ staged: [SQL]) -> SQL {
      """
      (SELECT count(*) FROM (SELECT \(written.joined(", ")) FROM written AS w
                             INTERSECT SELECT \(staged.joined(", ")) FROM \(source) AS t) AS same)
      """
    }
    let count: SQL = "(SELECT count(*) FROM written AS w)"
    let (keptCount, dueCount): (SQL, SQL) =
      isOfInsert
      ? ("0", "\(count) - \(sameCount(written + ["w.\(version)"], staged + [value(plan.version)]))")
      : (
        "(SELECT count(*) FROM written AS w WHERE w.\(kept))",
        "(SELECT count(*) FROM written AS w WHERE w.\(stillDue) AND NOT w.\(kept))"
      )
    return "SELECT \(count), \(sameCount(written, staged)), \(keptCount), \(doubtful), \(dueCount)"
  }

  /// The column with the version that an inserted row has got.
  private static let version = Identifier("_merge_engine_version")

  /// How many rows of the batch are in a child of production now, as they came: a trigger has put them there.
  static func countRedirected(_ plan: TablePlan, _ table: Identifier) -> SQL {
    let new = value(plan.version)
    let old: SQL = "p.\(plan.version.name)"
    return """
      SELECT count(*) FROM pg_temp.\(table) AS t JOIN \(plan.production) AS p ON \(match(plan))
      WHERE p.tableoid <> \(plan.productionOid)::oid AND (\(new) = \(old) OR \(new) IS NULL AND \(old) IS NULL)
      """
  }

  /// Inserts rows of staging by their addresses, in that order.
  static func insertAddressed(_ plan: TablePlan) -> SQL {
    """
    INSERT INTO \(plan.production) (\(plan.columns.map(\.name).joined())) OVERRIDING SYSTEM VALUE
    SELECT \(plan.columns.map { value($0) }.joined(", ")) FROM \(addressed(plan))
    """
  }

  /// As ``updateOlder(_:_:)``, by rows of staging.
  static func updateAddressed(_ plan: TablePlan) -> SQL {
    update(plan, from: addressed(plan), where: isDue(plan))
  }

  /// How many rows are at their addresses.
  static func countAddressed(_ plan: TablePlan) -> SQL {
    "SELECT count(*) FROM \(addressed(plan))"
  }

  /// Staging rows as `t` by an array of addresses, one by one: a TID scan inside a nested loop. What the horizon has not
  /// seen is a row that has taken the place of the one that was read.
  private static func addressed(_ plan: TablePlan) -> SQL {
    let isSame: SQL = plan.reading.state.horizon.map { " AND \($0.hasSeen("t"))" } ?? ""
    return "unnest($1) AS a (address) JOIN \(plan.batchSource) AS t ON t.ctid = a.address\(isSame)"
  }

  /// The keys of rows that went into production by COPY.
  static func copyIntoImages(_ plan: TablePlan, _ images: BeforeImageTable) -> SQL {
    "COPY \(images.name) (\(plan.keyColumns.map(\.name).joined())) FROM STDIN (FORMAT binary)"
  }

  /// Updates the rows that are still older, or with ties compared as new and different, comparing again on the row as
  /// it is now.
  static func updateOlder(_ plan: TablePlan, _ table: Identifier) -> SQL {
    let source: SQL = "pg_temp.\(table)"
    if let images = plan.writing.images { return updateKeeping(images, plan, table, isDue(plan)) }
    let update = update(plan, from: "\(source) AS t", where: isDue(plan))
    guard plan.writing.triggers.onUpdate else { return update }
    return """
      WITH written AS (\(update) \(returningKey(plan)), \(afterwards(plan, isBehind(plan, value))))
      \(witness(plan, from: source, isOfInsert: false))
      """
  }

  /// Whether any row of the batch table is still to overwrite production's.
  static func isAnyDue(_ plan: TablePlan, _ table: Identifier) -> SQL {
    "SELECT EXISTS (SELECT FROM pg_temp.\(table) AS t JOIN \(plan.production) AS p ON \(isDue(plan)))"
  }

  /// How many rows of the batch table production does not have.
  static func countAbsent(_ plan: TablePlan, _ table: Identifier) -> SQL {
    "SELECT count(*) FROM pg_temp.\(table) AS t WHERE NOT EXISTS (SELECT FROM \(plan.production) AS p WHERE \(match(plan)))"
  }

  /// The same of rows of staging by their addresses.
  static func isAnyAddressedDue(_ plan: TablePlan) -> SQL {
    "SELECT EXISTS (SELECT FROM \(addressed(plan)) JOIN \(plan.production) AS p ON \(isDue(plan)))"
  }

  /// The column that says whether an updated row is the old one: a trigger has kept it.
  private static let kept = Identifier("_merge_engine_kept")
  /// The column that says whether an updated row is still to be overwritten: a trigger has kept the old one, or changed the new.
  private static let stillDue = Identifier("_merge_engine_still_due")

  /// These two, returned of each row `p` as it is when its triggers have run.
  private static func afterwards(_ plan: TablePlan, _ isBehind: SQL) -> SQL {
    // A row that was older and is so no more is another one. One that differed may be changed and differ all the same.
    let isKept: SQL = plan.writing.ties == nil ? "\(isBehind) AND \(isOld(plan))" : isOld(plan)
    return "\(isKept) AS \(kept), \(isBehind) AS \(stillDue)"
  }

  /// Whether an updated row `p` is what it was before. The statement's own look at production is as old as the statement, so that it
  /// finds that.
  private static func isOld(_ plan: TablePlan) -> SQL {
    // Citus takes no such question; there are hardly any triggers on its tables.
    guard plan.citus == nil else { return "true" }
    let sameKey = plan.keyColumns.map { "o.\($0.name) \($0.equality) p.\($0.name)" as SQL }.joined(" AND ")
    return """
      EXISTS (SELECT FROM \(plan.production) AS o
              WHERE \(sameKey) AND o.tableoid = p.tableoid AND o.* OPERATOR(pg_catalog.*=) p.*)
      """
  }

  /// Whether production's row `p` is older than the version `new`.
  private static func isOlder(_ plan: TablePlan, _ new: SQL) -> SQL {
    let old: SQL = "p.\(plan.version.name)"
    return plan.nullRule == .strict ? "\(new) > \(old)" : "(\(new) > \(old) OR \(old) IS NULL AND \(new) IS NOT NULL)"
  }

  /// ``updateOlder(_:_:)`` for the rows of a single shard, whose keys are its parameters; nil where there are no shards, or where
  /// triggers have to be watched.
  static func updateShard(_ plan: TablePlan, _ table: Identifier) -> SQL? {
    guard let index = plan.shardKeyIndex, !plan.updatedColumns.isEmpty, !plan.writing.triggers.onUpdate,
      plan.writing.images == nil
    else {
      return nil
    }
    let (key, array) = (plan.columns[index], "$\(index + 1)" as SQL)
    let source = ShardRouting.rows(of: "pg_temp.\(table)", key.name, key.equality, array)
    let isOfShard = ShardRouting.condition("p.\(key.name)", key.equality, array)
    return update(plan, from: "\(source) AS t", where: "\(isDue(plan)) AND \(isOfShard)")
  }

  private static func update(_ plan: TablePlan, from source: SQL, where isDue: SQL) -> SQL {
    let assignments = plan.updatedColumns.map { "\($0.name) = \(value($0))" as SQL }.joined(", ")
    return "UPDATE \(plan.production) AS p SET \(assignments) FROM \(source) WHERE \(isDue)"
  }

  /// Whether `t` is to overwrite `p`: its key, and still older, or with ties compared as new and different.
  private static func isDue(_ plan: TablePlan) -> SQL { "\(match(plan)) AND \(isBehind(plan, value))" }

  /// Whether production's row `p` is older than what `new` has of the columns, or with ties compared as new and different.
  private static func isBehind(_ plan: TablePlan, _ new: (TablePlan.Column) -> SQL) -> SQL {
    let (version, old): (SQL, SQL) = (new(plan.version), "p.\(plan.version.name)")
    guard let ties = plan.writing.ties, !ties.columns.isEmpty else { return isOlder(plan, version) }
    let differs = ties.columns.map { column in
      let planned = plan.columns[column.index]
      return isDistinct(new(planned), "p.\(planned.name)", column.equality)
    }
    let isTie: SQL = "coalesce(\(version) = \(old), \(version) IS NULL AND \(old) IS NULL)"
    return "(\(isOlder(plan, version)) OR \(isTie) AND (\(differs.joined(" OR "))))"
  }

  /// The same with the old rows kept: locked, kept, and overwritten in one statement.
  ///
  /// The lock makes the row that is kept the row that is overwritten, and only what was locked is overwritten: a row
  /// that CDC makes older a moment later is left for the next run. The columns are numbered, since a column of
  /// production may have any name.
  ///
  /// A trigger may swallow a row that is locked and kept by then, or write it itself. So where one may, the images are
  /// returned as ``doubtfulImages`` when fewer rows were written than kept, for ``discardUnwritten(_:_:at:)``.
  ///
  /// - Parameter position: a column of the batch table, which is then returned of each row that was updated: with it of the newest row
  ///   of each key.
  static func updateKeeping(
    _ images: BeforeImageTable,
    _ plan: TablePlan,
    _ table: Identifier,
    _ isDue: SQL,
    returning position: Identifier? = nil
  ) -> SQL {
    let updated = plan.updatedColumns
    let kept = plan.keyColumns.map(\.name) + plan.writing.restorableColumns.map(\.name)
    let newValues = updated.indices.map { "\(value(updated[$0])) AS n\($0)" as SQL }
    let oldValues = kept.indices.map { "p.\(kept[$0]) AS o\($0)" as SQL }
    let assignments = updated.indices.map { "\(updated[$0].name) = l.n\($0)" as SQL }
    let sameRow = plan.keyColumns.enumerated().map { "p.\($1.name) \($1.equality) l.o\($0)" as SQL }
    let numbers = position.map { ["t.\($0) AS position" as SQL] } ?? []
    let update: SQL = """
      UPDATE \(plan.production) AS p SET \(assignments.joined(", "))
      FROM locked AS l
      WHERE \(sameRow.joined(" AND "))
      """
    // A version in the key is never updated.
    let isStillBehind = isBehind(plan) { column in
      updated.firstIndex { $0.name == column.name }.map { "l.n\($0)" }
        ?? kept.firstIndex { $0 == column.name }.map { "l.o\($0)" } ?? "NULL"
    }
    let mayBeSwallowed = plan.writing.triggers.onUpdate
    let ending: SQL =
      if position != nil {
        """
        , written AS (\(update) RETURNING l.position, \(mayBeSwallowed ? isOld(plan) : "false") AS \(Self.kept))
        SELECT position::bigint, NULL::text FROM written WHERE NOT \(Self.kept)
        \(mayBeSwallowed ? "UNION ALL SELECT NULL, \(doubtfulImages)" : "")
        """
      } else if mayBeSwallowed {
        """
        , written AS (\(update) \(returningKey(plan)), \(afterwards(plan, isStillBehind)))
        \(witness(plan, from: "pg_temp.\(table)", isOfInsert: false, doubtful: doubtfulImages))
        """
      } else {
        update
      }
    return """
      WITH locked AS MATERIALIZED (
        SELECT \((newValues + ["p.xmin AS previous_xid"] + oldValues + numbers).joined(", "))
        FROM \(position.map { newest(plan, table, $0) } ?? "pg_temp.\(table)") AS t JOIN \(plan.production) AS p ON \(isDue)
        FOR NO KEY UPDATE OF p
      ), kept AS (
        INSERT INTO \(images.name) (\(([BeforeImageTable.previousXID] + kept).joined()))
        SELECT l.previous_xid, \(kept.indices.map { "l.o\($0)" as SQL }.joined(", ")) FROM locked AS l
        \(mayBeSwallowed ? "RETURNING ctid AS image_tid" : "")
      )
      \(ending)
      """
  }

  /// All images of the statement, if one of the rows that it has locked was not written.
  private static let doubtfulImages: SQL = """
    CASE WHEN (SELECT count(*) FROM locked) > (SELECT count(*) FROM written)
         THEN (SELECT array_agg(k.image_tid)::text FROM kept AS k) END
    """

  /// Discards the images of rows that are still what the image says: nothing has been written there that could be taken back.
  ///
  /// A row that a trigger has written itself is no longer of the transaction before. A row of the same key in a child of
  /// production has an image of its own, and can't be told from this one: both stay unless neither was written.
  static func discardUnwritten(_ plan: TablePlan, _ images: BeforeImageTable, at addresses: [UInt64]) -> SQL {
    let sameKey = plan.keyColumns.map { "p.\($0.name) \($0.equality) s.\($0.name)" as SQL }.joined(" AND ")
    return """
      DELETE FROM \(images.name) AS s
      WHERE \(SQL.rows(at: addresses))
        AND (SELECT bool_and(p.xmin = s.\(BeforeImageTable.previousXID)) FROM \(plan.production) AS p WHERE \(sameKey))
      """
  }

  /// Whether two values differ, never NULL. By the type's own equality, or by text where it has none.
  static func isDistinct(_ left: SQL, _ right: SQL, _ equality: EqualityOperators.Equality?) -> SQL {
    let isEqual: SQL =
      equality.map { "\(left) \($0.symbol) \(right)" } ?? "(\(left))::text = (\(right))::text"
    // IS NULL also takes a composite value for NULL whose fields are.
    return "coalesce(NOT (\(isEqual)), (\(left) IS DISTINCT FROM NULL) <> (\(right) IS DISTINCT FROM NULL))"
  }

  /// Production's row `p` has the key of the batch's row `t`.
  static func match(_ plan: TablePlan) -> SQL {
    plan.keyColumns.map { "p.\($0.name) \($0.equality) \(value($0))" as SQL }.joined(" AND ")
  }

  /// The value of a staged row as production gets it. Never cast to a length that the cast would cut it to: that is left to
  /// the assignment, which refuses.
  static func value(_ column: TablePlan.Column) -> SQL {
    guard column.travel == .text else { return "t.\(column.name)" }
    let type = column.baseType
    return "t.\(column.name)::\(type.castTruncates ? type.plainName : type.fullName)"
  }
}
