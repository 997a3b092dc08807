import Libpq

/// What people run who merge by SQL alone: every contender's statements, each list one transaction.
struct StatementSQL {
  private let table: WorkloadTable
  private let marks: Bool
  private let staging: QualifiedName
  private let production: QualifiedName

  /// - Parameter marks: whether the last statement of a list marks the staging rows.
  init(_ table: WorkloadTable, staging schema: Identifier, marks: Bool = true) {
    self.table = table
    self.marks = marks
    staging = QualifiedName(schema: schema, name: table.name)
    production = QualifiedName(schema: Identifier("production"), name: table.name)
  }

  /// The guide's procedure without its COMMIT and ROLLBACK, which keep it from working at all.
  var guide: [SQL] {
    let key = WorkloadTable.key
    return [
      """
      WITH updated_rows AS (
        UPDATE \(production) p SET \(table.assignments(from: "s"))
        FROM \(staging) s
        WHERE p.\(key) = s.\(key) AND s.\(WorkloadTable.version) > p.\(WorkloadTable.version)
        RETURNING p.\(key)
      )
      SELECT count(*) FROM updated_rows
      """,
      """
      WITH inserted_rows AS (
        INSERT INTO \(production)
        SELECT \(table.columnList("s."))
        FROM \(staging) s LEFT JOIN \(production) p ON s.\(key) = p.\(key)
        WHERE p.\(key) IS NULL
        RETURNING 1
      )
      SELECT count(*) FROM inserted_rows
      """,
      "UPDATE \(staging) SET \(WorkloadTable.status) = 'PROCESSED'",
    ]
  }

  var merge: [SQL] {
    [
      """
      MERGE INTO \(production) AS p USING \(staging) AS s ON p.\(WorkloadTable.key) = s.\(WorkloadTable.key)
      WHEN MATCHED AND s.\(WorkloadTable.version) > p.\(WorkloadTable.version) THEN
        UPDATE SET \(table.assignments(from: "s"))
      WHEN NOT MATCHED THEN INSERT (\(table.columnList())) VALUES (\(table.columnList("s.")))
      """,
      "UPDATE \(staging) SET \(WorkloadTable.status) = 'PROCESSED'",
    ]
  }

  /// - Parameter keys: the range of keys to merge; nil for all.
  func onConflict(_ keys: ClosedRange<Int>?) -> [SQL] {
    let key = WorkloadTable.key
    let range: SQL = keys.map { "WHERE \(key) >= \($0.lowerBound) AND \(key) <= \($0.upperBound)" } ?? ""
    return marked(
      """
      INSERT INTO \(production) AS p (\(table.columnList())) SELECT \(table.columnList()) FROM \(staging) \(range)
      ON CONFLICT (\(WorkloadTable.key)) DO UPDATE SET \(table.assignments(from: "excluded"))
      WHERE excluded.\(WorkloadTable.version) > p.\(WorkloadTable.version)
      """,
      range
    )
  }

  /// The same with the rows found first that are new or newer: ON CONFLICT locks every row that it meets, equal ones too.
  var onConflictJoined: [SQL] {
    let key = WorkloadTable.key
    let version = WorkloadTable.version
    return marked(
      """
      INSERT INTO \(production) AS p (\(table.columnList()))
      SELECT \(table.columnList("s.")) FROM \(staging) AS s LEFT JOIN \(production) AS o ON o.\(key) = s.\(key)
      WHERE o.\(key) IS NULL OR s.\(version) > o.\(version)
      ON CONFLICT (\(key)) DO UPDATE SET \(table.assignments(from: "excluded"))
      WHERE excluded.\(version) > p.\(version)
      """
    )
  }

  /// What a DBA asks who compares by SQL alone: rows that production lacks, rows that it has in an older version, and rows of the
  /// same version with other values.
  var fullJoin: SQL {
    let key = WorkloadTable.key
    let version = WorkloadTable.version
    return """
      SELECT count(*) FILTER (WHERE s.\(key) IS NOT NULL AND p.\(key) IS NULL),
             count(*) FILTER (WHERE s.\(version) > p.\(version)),
             count(*) FILTER (WHERE s.\(version) = p.\(version)
                                AND NOT pg_catalog.record_image_eq(ROW(\(table.columnList("s."))), ROW(\(table.columnList("p.")))))
      FROM \(staging) AS s FULL JOIN \(production) AS p ON p.\(key) = s.\(key)
      """
  }

  private func marked(_ statement: SQL, _ range: SQL = "") -> [SQL] {
    [statement] + (marks ? ["UPDATE \(staging) SET \(WorkloadTable.status) = 'PROCESSED' \(range)"] : [])
  }

  /// The lowest and the highest key of each of `count` equal parts of staging.
  func keyRanges(_ count: Int) -> SQL {
    """
    SELECT min(k), max(k) FROM (SELECT \(WorkloadTable.key) AS k, ntile(\(count)) OVER (ORDER BY \(WorkloadTable.key)) AS part
                                FROM \(staging)) AS parts GROUP BY part ORDER BY part
    """
  }
}
