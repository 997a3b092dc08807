import Libpq

/// What lies in staging and in production when a contender begins.
public enum Workload: String, Sendable, Codable, CaseIterable {
  /// 40 % newer, 30 % new, 30 % equal; the keys one in four of production's.
  case mixed
  /// What a reload of a window usually finds: 95 % equal, 5 % newer, keys dense in one range.
  case reload
  /// All new, above production's highest key.
  case insert
  /// All newer; the keys one in four of production's.
  case update
  /// As mixed, the keys one in 200 of production's.
  case sparse
  /// As mixed, on 60 columns and about 1 kB a row.
  case wide
  /// As mixed, with seven indexes on production.
  case indexed

  /// What it is, in a few words.
  public var summary: String {
    switch self {
    case .mixed: "40 % newer, 30 % new, 30 % equal; keys 1 in 4 of production"
    case .reload: "95 % equal, 5 % newer; keys dense in one range"
    case .insert: "all new"
    case .update: "all newer; keys 1 in 4 of production"
    case .sparse: "as mixed; keys 1 in 200 of production"
    case .wide: "as mixed; 60 columns, 1 kB a row"
    case .indexed: "as mixed; seven indexes on production"
    }
  }

  /// How many rows staging holds where `--rows` says `rowCount`.
  ///
  /// The workloads whose rows cost several times as much get fewer of them, so that all fit into one run.
  public func stagedRowCount(_ rowCount: Int) -> Int {
    switch self {
    case .mixed, .reload, .insert: rowCount
    case .update: max(rowCount / 2, 1)
    case .wide, .indexed: max(rowCount / 4, 1)
    case .sparse: max(productionRowCount(rowCount) / Self.sparseness, 1)
    }
  }

  /// How many rows production holds: four times as many as staging, but for the sparse workload, which is the mixed
  /// one's production met by few rows.
  public func productionRowCount(_ rowCount: Int) -> Int {
    switch self {
    case .sparse: 4 * rowCount
    default: 4 * stagedRowCount(rowCount)
    }
  }

  private static let sparseness = 200

  /// The table that is merged.
  var table: WorkloadTable { self == .wide ? .wide : .orders }

  /// Indexes on production besides the primary key, as the text behind `CREATE INDEX ON`.
  var productionIndexes: [SQL] {
    let plain: [SQL] = ["(customer_id)"]
    guard self == .indexed else { return plain }
    return plain + ["(amount)", "(order_date)", "(updated_at)", "(customer_id, order_date)", "(order_date, amount)"]
  }

  /// The key of the n-th staging row, and how many hours newer than production's its version is; NULL for a new row.
  func stagedRow(_ rowCount: Int) -> (key: SQL, hoursNewer: SQL) {
    let productionCount = productionRowCount(rowCount)
    let stagedCount = stagedRowCount(rowCount)
    let mixedShares: SQL = "CASE WHEN n % 10 < 4 THEN 24 WHEN n % 10 < 7 THEN 0 END"
    func keys(oneIn step: Int) -> SQL {
      "CASE WHEN n % 10 < 7 THEN n * \(step) ELSE \(productionCount) + n END"
    }
    switch self {
    case .mixed, .wide, .indexed: return (keys(oneIn: 4), mixedShares)
    case .sparse: return (keys(oneIn: Self.sparseness), mixedShares)
    case .reload: return ("\(productionCount - stagedCount) + n", "CASE WHEN n % 20 = 0 THEN 24 ELSE 0 END")
    case .insert: return ("\(productionCount) + n", "NULL::integer")
    case .update: return ("n * 4", "24")
    }
  }
}
