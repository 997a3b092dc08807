import Libpq

/// The statements that load a workload.
///
/// Autovacuum is kept off the tables: it would meet one contender and miss the next.
struct WorkloadSQL {
  private let workload: Workload
  private let table: WorkloadTable
  private let size: WorkloadSize

  /// The schema with staging as `init` creates it.
  static let staging = Identifier("staging")
  /// The one with staging as `init --status-column` does.
  static let markedStaging = Identifier("staging_marked")
  /// The one with staging as the guide's statements do.
  static let guideStaging = Identifier("staging_guide")
  /// The schema with the answer: which rows a merge has to insert, and which to update.
  static let answer = Identifier("bench")

  init(_ workload: Workload, _ size: WorkloadSize) {
    self.workload = workload
    self.size = size
    table = workload.table
  }

  var makeProduction: [SQL] {
    let production = name("production")
    return [
      "CREATE SCHEMA production",
      "CREATE TABLE \(production) (\(definitions)) WITH (autovacuum_enabled = off)",
      """
      INSERT INTO \(production) SELECT \(values)
      FROM (SELECT n AS key, 0 AS hours_newer
            FROM generate_series(1, \(size.productionRowCount)) AS n) AS rows
      """,
      "ALTER TABLE \(production) ADD PRIMARY KEY (\(WorkloadTable.key))",
    ] + workload.productionIndexes.map { "CREATE INDEX ON \(production) \($0)" }
      + (workload.refusal(size).map { ["ALTER TABLE \(production) ADD CHECK (NOT \($0))"] } ?? [])
  }

  /// Fills the staging tables that `init` has made, and one as the guide makes it.
  var fillStaging: [SQL] {
    let guide = QualifiedName(schema: Self.guideStaging, name: table.name)
    let row = workload.stagedRow(size)
    let rows: SQL = """
      SELECT \(values)
      FROM (SELECT \(row.key) AS key, \(row.hoursNewer) AS hours_newer
            FROM generate_series(1, \(size.stagedRowCount)) AS n) AS rows
      """
    let made = [Self.staging, Self.markedStaging].map { QualifiedName(schema: $0, name: table.name) }
    return made.flatMap { staging -> [SQL] in
      [
        "ALTER TABLE \(staging) SET (autovacuum_enabled = off)",
        "INSERT INTO \(staging) (\(table.columnList())) \(rows)",
      ]
    } + [
      "CREATE SCHEMA \(Self.guideStaging)",
      """
      CREATE TABLE \(guide) (\(definitions), \(WorkloadTable.status) varchar(20) DEFAULT 'NEW',
                             PRIMARY KEY (\(WorkloadTable.key))) WITH (autovacuum_enabled = off)
      """,
      "CREATE INDEX ON \(guide) (\(WorkloadTable.version))",
      "INSERT INTO \(guide) (\(table.columnList())) \(rows)",
    ]
  }

  /// Computes the answer by plain SQL: `new_rows` and `changed_rows`, numbered in key order.
  var fillAnswer: [SQL] {
    let numbered: SQL = "row_number() OVER (ORDER BY s.\(WorkloadTable.key)) AS ordinal, \(table.columnList("s."))"
    let key = WorkloadTable.key
    let joined: SQL = """
      FROM \(name("staging")) AS s LEFT JOIN \(name("production")) AS p ON p.\(key) = s.\(key)
      """
    let refusal = workload.refusal(size, "s.") ?? "false"
    return [
      "CREATE SCHEMA \(Self.answer)",
      """
      CREATE TABLE \(Self.answer).new_rows WITH (autovacuum_enabled = off) AS
      SELECT \(numbered) \(joined) WHERE p.\(WorkloadTable.key) IS NULL
      """,
      """
      CREATE TABLE \(Self.answer).changed_rows WITH (autovacuum_enabled = off) AS
      SELECT \(numbered) \(joined) WHERE s.\(WorkloadTable.version) > p.\(WorkloadTable.version) AND NOT \(refusal)
      """,
      "CREATE INDEX ON \(Self.answer).new_rows (ordinal)",
      "CREATE INDEX ON \(Self.answer).changed_rows (ordinal)",
    ]
  }

  /// Number and order-free sum (by exclusive or) of hashes of the rows that production must hold in the end.
  var expectedFingerprint: SQL {
    fingerprint(
      of: """
        (SELECT \(table.columnList()) FROM \(Self.answer).new_rows
         UNION ALL SELECT \(table.columnList()) FROM \(Self.answer).changed_rows
         UNION ALL SELECT \(table.columnList()) FROM \(name("production")) AS p
         WHERE NOT EXISTS (SELECT FROM \(Self.answer).changed_rows AS c
                           WHERE c.\(WorkloadTable.key) = p.\(WorkloadTable.key)))
        """
    )
  }

  /// The same of the rows that production holds.
  var fingerprint: SQL { fingerprint(of: "\(name("production"))") }

  /// Whether all staging rows are marked.
  func areMarked(in schema: Identifier) -> SQL {
    """
    SELECT NOT EXISTS (SELECT FROM \(QualifiedName(schema: schema, name: table.name)) WHERE \(WorkloadTable.status) = 'NEW')
    """
  }

  /// How many staging rows production refuses.
  var refusedRowCount: SQL {
    "SELECT count(*) FROM \(QualifiedName(schema: Self.staging, name: table.name)) AS s WHERE \(workload.refusal(size, "s.") ?? "false")"
  }

  /// Writes a row of production that staging has too, as CDC does, and leaves its values as they are; `$1` is its number.
  var writeOfCDC: SQL {
    """
    UPDATE \(name("production")) SET \(WorkloadTable.version) = \(WorkloadTable.version)
    WHERE \(WorkloadTable.key) = $1::int * \(size.keyStep)
    """
  }

  private func fingerprint(of rows: SQL) -> SQL {
    """
    SELECT count(*) || ' rows, ' || coalesce(bit_xor(hash_record_extended(ROW(\(table.columnList("r."))), 0)), 0)
    FROM \(rows) AS r
    """
  }

  private var definitions: SQL { table.columns.map { "\($0.name) \($0.type)" as SQL }.joined(", ") }
  private var values: SQL { table.columns.map { "(\($0.value))::\($0.type)" as SQL }.joined(", ") }
  private func name(_ schema: String) -> QualifiedName {
    QualifiedName(schema: Identifier(schema), name: table.name)
  }
}
