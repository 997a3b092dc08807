import Libpq

/// Asks the server about a whole batch which of its rows production would refuse, in one statement that writes nothing.
///
/// A merge only sets apart who is named here, and tries it by itself: a trigger may fill or change what looks bad, and a
/// parent may have come meanwhile. So a question may name too many rows, and what none foresees is found by dividing the
/// batch. A dry run goes by the answers.
struct Questions {
  /// Also those that can't be asked here, since arrays can't hold the values that they read.
  let objections: [Objection]
  private let plan: TablePlan
  private let statement: PreparedStatement?
  private var arrays: ColumnArrays

  /// A row that production would refuse, and one of the reasons.
  struct Suspect {
    /// Its position in ``StagedBatch/rows``.
    let row: UInt32
    /// The reason's position in ``Questions/objections``.
    let objection: Int
  }

  /// The column of the row's number in the batch.
  static let row = Identifier("_merge_engine_row")
  /// The column of the number of the first row in the batch that has the same value.
  static func first(_ key: Objection.UniqueKey) -> Identifier { Identifier("_merge_engine_first_\(key.indexOid)") }
  /// The column of a computed value: of a part of an index's key.
  static func value(_ key: Objection.UniqueKey, _ part: Int) -> Identifier {
    Identifier("_merge_engine_value_\(key.indexOid)_\(part)")
  }

  /// Rows of a question. Arbitrary: what travels is held in memory on both sides.
  private static let pieceByteCount = 16 << 20

  init(
    _ plan: TablePlan,
    _ objections: [Objection],
    _ production: Connection,
    statementName: String
  ) throws(PostgresError) {
    self.plan = plan
    self.objections = objections
    let isAskable = Self.areAskable(objections, plan)
    let named = Set(objections.indices.filter { isAskable[$0] }.flatMap { objections[$0].columns })
    var indices = plan.columns.indices.filter { named.contains(plan.columns[$0].name) }
    // How many rows there are is told by an array.
    if indices.isEmpty {
      indices = plan.columns.indices.filter { ColumnArrays.canHold(plan.columns[$0]) }.prefix(1) + []
    }
    arrays = ColumnArrays(plan, indices)
    guard isAskable.contains(true), !indices.isEmpty else {
      statement = nil
      return
    }
    statement = try production.prepare(
      statementName,
      Self.question(indices.map { plan.columns[$0] }, objections, isAskable),
      parameterTypes: arrays.parameterTypes + [TypeOID.int8, TypeOID.int8],
      "preparing to ask which rows \(plan.production) would refuse"
    )
  }

  /// For each objection whether arrays can hold all that it reads.
  static func areAskable(_ objections: [Objection], _ plan: TablePlan) -> [Bool] {
    let columns = Set(plan.columns.filter(ColumnArrays.canHold).map(\.name))
    return objections.map { columns.isSuperset(of: $0.columns) }
  }

  /// number of the row and of the objection.
  private static func question(_ columns: [TablePlan.Column], _ all: [Objection], _ isAskable: [Bool]) -> SQL {
    let objections = all.indices.filter { isAskable[$0] }.map { all[$0] }
    // Parameters: an array a column, how many rows were asked about before, how many of all are inserts.
    let count = columns.count
    let asked = all.enumerated().filter { isAskable[$0.offset] }.map { index, objection -> SQL in
      let isConcerned: SQL = objection.isOfInsertsOnly ? "t.\(row) <= $\(count + 2) AND " : ""
      return "(\(index), \(isConcerned)(\(objection.condition)))"
    }
    return """
      SELECT t.\(row), o.objection
      FROM \(rows(columns, objections, behind: "$\(count + 1)"))
      CROSS JOIN LATERAL (VALUES \(asked.joined(", "))) AS o (objection, holds)
      WHERE o.holds
      """
  }

  /// Rows whose columns are the first parameters, as `t`, with all that objections read of them.
  ///
  /// - Parameter offset: the number of the row before the first one.
  static func rows(_ columns: [TablePlan.Column], _ objections: [Objection], behind offset: SQL) -> SQL {
    let arrays = columns.indices.map { "$\($0 + 1)" as SQL }.joined(", ")
    let firsts = objections.compactMap(\.sharedKey).map { key -> SQL in
      let own = key.predicate.map { " FILTER (WHERE (SELECT \($0) FROM (SELECT v.*) AS u))" as SQL } ?? ""
      let parts = key.parts.map { $0.collated("v.\($0.column)") }
      return "min(v.\(row))\(own) OVER (PARTITION BY \(parts.joined(", "))) AS \(first(key))"
    }
    let values: [SQL] = columns.map { asProduction($0, "b.\($0.name)") } + ["b.\(row) + \(offset) AS \(row)"]
    return """
      (SELECT \((["v.*"] + firsts).joined(", "))
       FROM (SELECT \((["w.*"] + computed(objections)).joined(", "))
             FROM (SELECT \(values.joined(", "))
                   FROM unnest(\(arrays)) WITH ORDINALITY AS b (\((columns.map(\.name) + [row]).joined()))) AS w) AS v) AS t
      """
  }

  /// What production would hold of a staged value, compared as production compares it: a check, too, goes by the column's collation.
  static func asProduction(_ column: TablePlan.Column, _ staged: SQL) -> SQL {
    let value: SQL = column.travel == .text ? "(\(staged))::\(column.baseType.plainName)" : staged
    return "\(column.baseType.declared(value)) AS \(column.name)"
  }

  /// What the objections have computed of the row `w`, once each.
  static func computed(_ objections: [Objection]) -> [SQL] {
    var names: Set<Identifier> = []
    return objections.flatMap(\.computed).filter { names.insert($0.name).inserted }
      .map { "(SELECT \($0.expression) FROM (SELECT w.*) AS u) AS \($0.name)" }
  }

  /// Which of these rows look bad, and why.
  ///
  /// - Parameters:
  ///   - inserts: positions in ``StagedBatch/rows``.
  ///   - updates: the same.
  /// - Throws: ``PostgresError`` also where a row raises an error in a question.
  mutating func suspects(
    inserts: [UInt32],
    updates: [UInt32],
    of batch: StagedBatch,
    on production: Connection
  ) throws -> [Suspect] {
    guard let statement, !(inserts.isEmpty && updates.isEmpty) else { return [] }
    var suspects: [Suspect] = []
    let rows = inserts + updates
    let pieceCount = max(rows.count * Self.pieceByteCount / max(batch.bytes.count, 1), 1)
    for start in stride(from: 0, to: rows.count, by: pieceCount) {
      let piece = rows[start..<min(start + pieceCount, rows.count)]
      let answer = try production.execute(
        statement,
        arrays.parameters(piece, of: batch) + [.bigint(start), .bigint(inserts.count)]
      )
      suspects += (0..<answer.count).map { index in
        Suspect(row: rows[(answer.integer(index, 0) ?? 1) - 1], objection: answer.integer(index, 1) ?? 0)
      }
    }
    return suspects
  }
}
