import Libpq

/// Which unique values older rows of refused rows' keys share with other rows of their batch.
///
/// A merge tries them when it has written the others. Whether it then comes to them, and who has the values by then, is known
/// when all is decided about the table: see ``BatchReplay``.
struct SharedValues {
  /// A unique value that several rows of a batch want.
  struct Value: Hashable {
    /// The key's objection, as its position in ``Foresight/objections``.
    let objection: Int
    /// The first row that wants it, by address.
    let first: UInt64
    /// That row is written before the older ones are tried, unless it is refused.
    let firstIsWritten: Bool
  }

  private let objections: [Objection]
  private let statement: PreparedStatement
  private var arrays: ColumnArrays

  /// - Parameter objections: all of them; asked is about values that rows may share, as far as arrays can hold them.
  /// - Returns: nil where there are none.
  init?(_ plan: TablePlan, _ objections: [Objection], _ production: Connection, statementName: String)
    throws(PostgresError)
  {
    let isAskable = Questions.areAskable(objections, plan)
    let numbers = objections.indices.filter { isAskable[$0] && objections[$0].sharedKey != nil }
    guard !numbers.isEmpty else { return nil }
    let asked = numbers.map { objections[$0] }
    let named = Set(asked.flatMap(\.columns))
    let indices = plan.columns.indices.filter { named.contains(plan.columns[$0].name) }
    self.objections = objections
    arrays = ColumnArrays(plan, indices)
    // Behind the arrays: how many rows are written before.
    let values = numbers.compactMap { number in
      objections[number].sharedKey.map { key in
        "(\(number), \(key.isWanted("t")), t.\(Questions.first(key)))" as SQL
      }
    }
    statement = try production.prepare(
      statementName,
      """
      SELECT t.\(Questions.row), o.objection, o.earliest
      FROM \(Questions.rows(indices.map { plan.columns[$0] }, asked, behind: "0"))
      CROSS JOIN LATERAL (VALUES \(values.joined(", "))) AS o (objection, holds, earliest)
      WHERE o.holds AND t.\(Questions.row) > $\(indices.count + 1)
      """,
      parameterTypes: arrays.parameterTypes + [TypeOID.int8],
      "preparing to ask which rows want the same values of \(plan.production)"
    )
  }

  /// The values that older rows want, by their addresses.
  ///
  /// - Parameters:
  ///   - inserts: the rows that are written before, as positions in ``StagedBatch/rows``.
  ///   - updates: the same.
  ///   - older: the rows that are tried behind them, likewise.
  /// - Throws: ``PostgresError`` also where a row raises an error in the question.
  mutating func find(
    inserts: [UInt32],
    updates: [UInt32],
    older: [UInt32],
    of batch: StagedBatch,
    on production: Connection
  ) throws -> [UInt64: [Value]] {
    let rows = inserts + updates + older
    let writtenCount = inserts.count + updates.count
    let answer = try production.execute(
      statement,
      arrays.parameters(rows, of: batch) + [.bigint(writtenCount)]
    )
    var values: [UInt64: [Value]] = [:]
    for index in 0..<answer.count {
      let (row, first) = ((answer.integer(index, 0) ?? 1) - 1, (answer.integer(index, 2) ?? 1) - 1)
      let objection = answer.integer(index, 1) ?? 0
      // An update leaves the value alone that only an insert would write.
      let count = objections[objection].isOfInsertsOnly ? inserts.count : writtenCount
      let value = Value(
        objection: objection,
        first: batch.rows[Int(rows[first])].address,
        firstIsWritten: first < count
      )
      values[batch.rows[Int(rows[row])].address, default: []].append(value)
    }
    return values
  }
}
