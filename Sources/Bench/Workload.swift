import Libpq

/// What lies in staging and in production when a contender begins.
public enum Workload: String, Sendable, Codable, CaseIterable {
  /// 40 % newer, 30 % new, 30 % equal; the keys one in four of production's, unless that has another size.
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
  /// Not merged but verified: production has staging's keys and no others, and one row in a thousand is older.
  case verify
  /// The same, staging's keys one in five of production's.
  case verifySparse = "verify-sparse"

  /// Whether it is verified instead of merged.
  var isVerified: Bool { self == .verify || self == .verifySparse }

  /// What it is, in a few words.
  ///
  /// - Parameter keyStep: one in so many keys of production is in staging, where they are spread evenly.
  public func summary(keyStep: Int) -> String {
    switch self {
    case .mixed: "40 % newer, 30 % new, 30 % equal; keys 1 in \(keyStep) of production"
    case .reload: "95 % equal, 5 % newer; keys dense in one range"
    case .insert: "all new"
    case .update: "all newer; keys 1 in \(keyStep) of production"
    case .sparse: "as mixed; keys 1 in \(keyStep) of production"
    case .wide: "as mixed; 60 columns, 1 kB a row"
    case .indexed: "as mixed; seven indexes on production"
    case .verify, .verifySparse:
      "verified, not merged; keys \(keyStep == 1 ? "dense" : "1 in \(keyStep) of production")"
    }
  }

  /// How long a repetition takes, about, where one of the mixed workload takes 1; for dividing the time there is.
  var expectedCost: Double {
    switch self {
    case .mixed: 1
    case .reload, .insert: 0.9
    case .update, .indexed, .wide: 0.6
    case .sparse: 0.4
    case .verify, .verifySparse: 0.2
    }
  }

  /// One in so many rows is another in a workload that is verified.
  static let rowsPerDifference = 1000

  /// The table that is merged.
  var table: WorkloadTable { self == .wide ? .wide : .orders }

  /// Indexes on production besides the primary key, as the text behind `CREATE INDEX ON`.
  var productionIndexes: [SQL] {
    let plain: [SQL] = ["(customer_id)"]
    guard self == .indexed else { return plain }
    return plain + ["(amount)", "(order_date)", "(updated_at)", "(customer_id, order_date)", "(order_date, amount)"]
  }

  /// The key of the n-th staging row, and how many hours newer than production's its version is; NULL for a new row.
  func stagedRow(_ size: WorkloadSize) -> (key: SQL, hoursNewer: SQL) {
    let mixedShares: SQL = "CASE WHEN n % 10 < 4 THEN 24 WHEN n % 10 < 7 THEN 0 END"
    switch self {
    case .mixed, .wide, .indexed, .sparse:
      return ("CASE WHEN n % 10 < 7 THEN n * \(size.keyStep) ELSE \(size.productionRowCount) + n END", mixedShares)
    case .reload:
      return ("\(size.productionRowCount - size.stagedRowCount) + n", "CASE WHEN n % 20 = 0 THEN 24 ELSE 0 END")
    case .insert: return ("\(size.productionRowCount) + n", "NULL::integer")
    case .update: return ("n * \(size.keyStep)", "24")
    case .verify, .verifySparse:
      return ("n * \(size.keyStep)", "CASE WHEN n % \(Self.rowsPerDifference) = 0 THEN 24 ELSE 0 END")
    }
  }
}
