import Libpq

/// The statements of a repair. The rows of a batch have the alias `t`, lines of the file `k`, production's rows `p`.
struct RepairSQL {
  let plan: TablePlan
  let images: BeforeImageTable
  let references: [Reference]
  /// Rows are extra only while staging has some rows at all.
  let needsStagedRows: Bool
  /// The session's temporary table with the rows of a batch, numbered by ``position``.
  let batchTable: Identifier
  /// What would have happened by now, where nothing is written.
  var forecast: RepairForecast?

  static let position = Identifier("_merge_engine_position")

  var createBatchTable: SQL {
    """
    \(ApplySQL.createBatchTable(plan, batchTable));
    ALTER TABLE pg_temp.\(batchTable) ADD COLUMN \(Self.position) bigint
    """
  }

  var copyIntoBatchTable: SQL {
    let columns = plan.columns.map(\.name) + [Self.position]
    return "COPY pg_temp.\(batchTable) (\(columns.joined())) FROM STDIN (FORMAT binary)"
  }

  /// Inserts what production lacks still; the positions of the rows that went in.
  var insert: SQL { ApplySQL.insertMissing(plan, batchTable, returning: Self.position) }

  /// Overwrites the rows that are still what they were when they were compared; their positions. `$1` holds the
  /// transactions that had written them, by position.
  var update: SQL {
    ApplySQL.updateKeeping(
      images,
      plan,
      batchTable,
      "\(ApplySQL.match(plan)) AND p.xmin::text::bigint = ($1::text[]::bigint[])[t.\(Self.position) + 1]",
      returning: Self.position
    )
  }

  /// The positions of rows that production does not hold as they came, though they were written: a trigger has made something else of
  /// them. By text, which every type has.
  ///
  /// - Parameter columns: what was written of them.
  func altered(_ columns: [TablePlan.Column]) -> SQL {
    let written = columns.map { "p.\($0.name)" as SQL }.joined(", ")
    let wanted = columns.map { "(\(ApplySQL.value($0)))::\($0.baseType.fullName)" as SQL }.joined(", ")
    return """
      SELECT t.\(Self.position)::bigint FROM pg_temp.\(batchTable) AS t
      WHERE NOT EXISTS (SELECT FROM \(plan.production) AS p
                        WHERE \(ApplySQL.match(plan)) AND ROW(\(written))::text = ROW(\(wanted))::text)
      """
  }

  /// Locks rows against new references to them, so that ``delete``, a statement later, sees all there are.
  var lockExtra: SQL {
    """
    SELECT count(*) FROM (
      SELECT 1 FROM \(extraLines) JOIN \(plan.production) AS p ON \(isUntouched)
      ORDER BY \(plan.keyColumns.map { "p.\($0.name)" as SQL }.joined(", "))
      FOR UPDATE OF p
    ) AS locked
    """
  }

  /// Deletes the rows that are still what they were, that staging lacks still, and that nothing refers to, and keeps them;
  /// the ordinals of their lines.
  ///
  /// An image of a deleted row has no transaction before it: 0, which is none.
  var delete: SQL {
    let kept = plan.keyColumns.map(\.name) + plan.writing.restorableColumns.map(\.name)
    let old = kept.indices.map { "p.\(kept[$0]) AS o\($0)" as SQL }
    let isFree = references.flatMap(referring(to:)).map { "AND NOT EXISTS (\($0))" as SQL }
    return """
      WITH deleted AS (
        DELETE FROM \(plan.production) AS p USING \(extraLines)
        WHERE \(isUntouched) AND \(isExtra)
          \(isFree.joined(" "))
        RETURNING k.ordinal, \(old.joined(", "))
      ), kept AS (
        INSERT INTO \(images.name) (\(([BeforeImageTable.previousXID] + kept).joined()))
        SELECT \(BeforeImageTable.deleted), \(kept.indices.map { "d.o\($0)" as SQL }.joined(", ")) FROM deleted AS d
      )
      SELECT ordinal::bigint FROM deleted
      """
  }

  /// Of each line whose key production has: ordinal, transaction, place, whether staging has the key, what refers to it, and whether
  /// this very transaction has written the row.
  func standings(ofExtra isExtra: Bool) -> SQL {
    let lines: SQL = "\(KeyTexts.source(plan)) JOIN \(plan.production) AS p ON \(KeyTexts.match(plan))"
    // In a WHERE it is one join for all lines; beside the columns it would be asked of one line after the other.
    func holds(_ query: SQL) -> SQL { "k.ordinal = ANY (SELECT k.ordinal FROM \(lines) WHERE EXISTS (\(query)))" }
    let referring = references.flatMap { reference in
      self.referring(to: reference).map { "WHEN \(holds($0)) THEN \(Literal("\(reference.child)"))" as SQL }
    }
    let isStaged = isExtra && plan.reading.snapshot == nil ? holds(ExtraRows.stagingRow(of: plan)) : "false"
    return """
      SELECT k.ordinal::bigint, p.xmin::text, \(RowPlaces.place(of: "p")), \(isStaged),
             CASE WHEN false THEN NULL::text \((isExtra ? referring : []).joined(" ")) END,
             \(Horizon.isOwn("p.xmin"))
      FROM \(lines)
      """
  }

  private var extraLines: SQL { KeyTexts.source(plan, and: "xmin") }
  private var isUntouched: SQL { "\(KeyTexts.match(plan)) AND p.xmin = k.xmin::xid" }

  /// Staging lacks the row still, and is not empty where it would hold all that there is. What was deleted by the word of a
  /// snapshot's files is nothing that staging knows of.
  private var isExtra: SQL {
    guard plan.reading.snapshot == nil else { return "true" }
    let hasRows: SQL = needsStagedRows ? " AND EXISTS (SELECT FROM \(plan.staging))" : ""
    return "NOT EXISTS (\(ExtraRows.stagingRow(of: plan)))\(hasRows)"
  }

  /// Rows that refer to production's row, whatever their foreign key does; a row's reference to itself doesn't count.
  private func referring(to reference: Reference) -> [SQL] {
    let sameKey = plan.keyColumns.map { "c.\($0.name) \($0.equality) p.\($0.name)" as SQL }.joined(" AND ")
    let isItself: SQL = reference.isFrom(plan.productionOid) ? " AND NOT (\(sameKey))" : ""
    let rows: SQL = "SELECT FROM \(reference.child) AS c WHERE \(reference.condition(child: "c"))\(isItself)"
    return forecast?.rows(rows, of: reference) ?? [rows]
  }
}
