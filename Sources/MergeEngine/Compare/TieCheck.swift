import BinaryCopy
import Libpq

/// Finds, among staging rows as new as production's, the ones that hold something else.
///
/// A second look-up for these rows alone: a merge without ties, or without `--ties compare`, never gets here.
struct TieCheck {
  private let plan: TablePlan
  private let comparison: RowComparison
  private var lookUp: RowLookUp
  private let pairs: PairComparison
  private var found = ProductionRows()

  init(
    _ plan: TablePlan,
    _ comparison: RowComparison,
    on production: Connection,
    statementName: String
  ) throws(PostgresError) {
    self.plan = plan
    self.comparison = comparison
    lookUp = try RowLookUp(plan, production, statementName: statementName)
    pairs = PairComparison(plan, production)
  }

  /// - Parameter ties: positions in ``StagedBatch/rows``.
  /// - Returns: those of `ties` whose row differs from production's in a compared column, in the same order. A row
  ///   that has gone from production meanwhile is not among them.
  mutating func differing(_ ties: [UInt32], of batch: StagedBatch, on production: Connection) throws -> [UInt32] {
    guard !ties.isEmpty, !comparison.columns.isEmpty else { return [] }
    try lookUp.lookUp(ties, of: batch, on: production, &found)
    var isDifferent = [Bool](repeating: false, count: ties.count)
    var undecided: [Int] = []
    for (index, row) in ties.enumerated() {
      guard let range = found.ranges[index] else { continue }
      let likeness = try comparison.likeness(
        batch.rows[Int(row)].fields,
        in: batch.bytes.rawSpan,
        range,
        in: found.bytes.rawSpan
      )
      switch likeness {
      case .equal: break
      case .different: isDifferent[index] = true
      case .undecided: undecided.append(index)
      }
    }
    if !undecided.isEmpty { try settle(undecided, ties, of: batch, isDifferent: &isDifferent) }
    return ties.indices.filter { isDifferent[$0] }.map { ties[$0] }
  }

  /// Asks the server about the columns in which only it can tell, column by column.
  private func settle(
    _ undecided: [Int],
    _ ties: [UInt32],
    of batch: StagedBatch,
    isDifferent: inout [Bool]
  ) throws {
    var places: [Int: [(tie: Int, pair: PairComparison.Pair)]] = [:]
    for index in undecided {
      guard let range = found.ranges[index] else { continue }
      let fields = try comparison.unequalFields(
        batch.rows[Int(ties[index])].fields,
        in: batch.bytes.rawSpan,
        range,
        in: found.bytes.rawSpan
      )
      for field in fields {
        places[field.column.index, default: []].append((index, .init(left: field.left, right: field.right)))
      }
    }
    for column in comparison.columns {
      guard let entries = places[column.index] else { continue }
      let areEqual = try pairs.areEqual(
        entries.map(\.pair),
        of: column,
        left: batch.bytes.rawSpan,
        right: found.bytes.rawSpan
      )
      for (entry, isEqual) in zip(entries, areEqual) where !isEqual { isDifferent[entry.tie] = true }
    }
  }
}
