import BinaryCopy
import Libpq

/// Production rows as they were found for staging rows: fields in the wire order of ``TablePlan/columns``.
struct ProductionRows {
  /// The fields of all rows, lengths included.
  fileprivate(set) var bytes: [UInt8] = []
  /// For each row asked for, the place of production's fields in ``bytes``; nil where production has no such key.
  fileprivate(set) var ranges: [Range<Int>?] = []
}

/// Looks up whole production rows by key: what the probe does for versions, for all shared columns.
struct RowLookUp {
  private let statement: PreparedStatement
  private let operation: String
  private let columnCount: Int
  private var keys: KeyArrays
  /// Where production's rows lie in shards: each of them is asked for its own keys.
  private var shards: ShardKeys?

  init(_ plan: TablePlan, _ production: Connection, statementName: String) throws(PostgresError) {
    keys = KeyArrays(plan)
    shards = try ShardKeys(plan, production, statementName: "\(statementName)_shards")
    columnCount = plan.columns.count
    operation = "looking up rows of \(plan.production)"
    statement = try production.prepare(
      statementName,
      ProbeSQL.lookUpRows(plan),
      parameterTypes: ProbeSQL.parameterTypes(plan),
      operation
    )
  }

  /// Fills `answer` with production's rows for `rows`, positions in ``StagedBatch/rows``.
  mutating func lookUp(
    _ rows: [UInt32],
    of batch: StagedBatch,
    on production: Connection,
    _ answer: inout ProductionRows
  ) throws {
    answer.bytes.removeAll(keepingCapacity: true)
    answer.ranges.removeAll(keepingCapacity: true)
    answer.ranges.append(contentsOf: repeatElement(nil, count: rows.count))
    guard !rows.isEmpty else { return }
    for group in try shards?.divide(rows, of: batch, on: production) ?? [Array(rows.indices)] {
      try keys.collect(group.map { rows[$0] }, of: batch)
      let result = try production.execute(statement, keys.parameters)
      for row in 0..<result.count {
        guard let ordinal = result.integer(row, 0), (1...group.count).contains(ordinal) else {
          throw PostgresError(
            .malformedAnswer,
            message: "row \(row + 1) of the answer is for none of the keys asked for",
            operation: operation
          )
        }
        let start = answer.bytes.count
        result.appendFields(of: row, columns: 1..<(1 + columnCount), to: &answer.bytes)
        answer.ranges[group[ordinal - 1]] = start..<answer.bytes.count
      }
    }
  }
}
