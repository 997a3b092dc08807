import Libpq

/// Which staging tables are read in the order of production's keys instead of as they lie.
///
/// Where production fits into memory the order is all the same. Where it does not, a batch that goes by keys finds many of its
/// rows on the same pages of the index and of the table, and visits them once; a batch of keys from everywhere reads a page of
/// the index and one of the table for each of its rows, and the next batch reads them again. The price is that the server sorts
/// the addresses once, and that staging's rows are fetched one by one.
struct KeyOrderChoice {
  let staging: Connection

  /// Above this correlation of addresses and keys staging lies in key order as it is. Arbitrary: a load in some few parallel
  /// parts that each are in order stays below.
  private static let orderedCorrelation = 0.9
  /// So many blocks of a table are looked at. Arbitrary.
  private static let sampledBlockCount = 500
  /// Below so many rows one batch is in order by itself: a batch is sorted before production is visited. In blocks, since
  /// nobody has counted. Arbitrary.
  private static let leastBlockCount = 64

  /// - Parameter indices: of the tables that are asked about.
  func tables(of plan: MergePlan, _ indices: Set<Int>) throws(PostgresError) -> Set<Int> {
    var chosen: Set<Int> = []
    for index in indices.sorted() where Self.mayFollowKeys(plan.tables[index]) {
      guard let form = plan.tables[index].keyForm else { continue }
      if try !liesInKeyOrder(plan.tables[index], form) { chosen.insert(index) }
    }
    return chosen
  }

  /// Whether the order of keys can be followed, and may matter.
  static func mayFollowKeys(_ table: TablePlan) -> Bool {
    table.reading.cacheFit.isLikelyCold && table.reading.snapshot == nil && table.keyForm != nil
      && table.reading.state.source.map { $0.blockCount >= leastBlockCount } == true
  }

  private func liesInKeyOrder(_ table: TablePlan, _ form: KeyRange.Form) throws(PostgresError) -> Bool {
    let blockCount = table.reading.state.source?.blockCount ?? 0
    let percent = min(100 * Double(Self.sampledBlockCount) / Double(max(blockCount, 1)), 100)
    let key: SQL = "s.\(table.columns[0].name)"
    let row = try staging.query(
      """
      SELECT corr(k.block, k.rank)
      FROM (SELECT (s.ctid::text::point)[0] AS block, rank() OVER (ORDER BY \(form.ordered(key))) AS rank
            FROM \(table.staging) AS s TABLESAMPLE system (\(Literal("\(percent)"))::float8)
            WHERE \(form.hasPlace([key]))) AS k
      """,
      "checking the row order of \(table.staging)"
    )
    return abs(row.double(0, 0) ?? 0) >= Self.orderedCorrelation
  }
}
