import Libpq

/// The questions that ``Questions`` can't ask, since no array holds what they read: of arrays and composite values.
///
/// The server reads the rows from staging once more. Only a dry run asks them: a merge finds such rows by dividing the batch.
struct AddressedQuestions {
  private let plan: TablePlan
  private let production: Connection
  private let objections: [(number: Int, objection: Objection)]

  /// - Parameter production: to the database that holds both sides.
  init(_ plan: TablePlan, _ objections: [Objection], _ production: Connection) {
    self.plan = plan
    self.production = production
    let isAskable = Questions.areAskable(objections, plan)
    // What rows of a batch have in common is not asked here.
    self.objections = objections.enumerated().filter { !isAskable[$0.offset] && $0.element.sharedKey == nil }
      .map { (number: $0.offset, objection: $0.element) }
  }

  /// As ``Questions/suspects(inserts:updates:of:on:)``.
  func suspects(inserts: [UInt32], updates: [UInt32], of batch: StagedBatch) throws(PostgresError) -> [Questions
    .Suspect]
  {
    let rows = inserts + updates
    guard !objections.isEmpty, !rows.isEmpty else { return [] }
    let row = Questions.row
    let columns = plan.columns.map { Questions.asProduction($0, $0.readExpression) }
    let asked = objections.map { number, objection -> SQL in
      let isConcerned: SQL = objection.isOfInsertsOnly ? "t.\(row) <= $2 AND " : ""
      return "(\(number), \(isConcerned)(\(objection.condition)))"
    }
    let computed = Questions.computed(objections.map(\.objection))
    let answer = try production.query(
      """
      SELECT t.\(row), o.objection
      FROM (SELECT \((["w.*"] + computed).joined(", "))
            FROM (SELECT \((columns + ["a.\(row) AS \(row)"]).joined(", "))
                  FROM unnest($1::text[]::tid[]) WITH ORDINALITY AS a (address, \(row))
                  JOIN \(plan.staging) AS s ON s.ctid = a.address) AS w) AS t
      CROSS JOIN LATERAL (VALUES \(asked.joined(", "))) AS o (objection, holds)
      WHERE o.holds
      """,
      [.textArray(rows.map { TupleAddress(batch.rows[Int($0)].address).description }), .bigint(inserts.count)],
      "asking which rows \(plan.production) would refuse"
    )
    return (0..<answer.count).map { index in
      Questions.Suspect(row: rows[(answer.integer(index, 0) ?? 1) - 1], objection: answer.integer(index, 1) ?? 0)
    }
  }
}
