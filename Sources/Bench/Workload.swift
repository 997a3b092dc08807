import Libpq

/// What lies in staging and in production when a contender begins.
package enum Workload: String, Sendable, Codable, CaseIterable {
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
  /// Half newer, half equal, the keys one in 40 of a production that is at least ten times as large as the server's buffers;
  /// staging in an order that has nothing to do with the keys.
  case cold
  /// As cold, staging in the order of the keys.
  case coldOrdered = "cold-ordered"
  /// As mixed, with a client that is 5 ms away: every message takes that long in either direction.
  case far5 = "far-5"
  /// The same with 20 ms.
  case far20 = "far-20"
  /// As mixed, one staging row in a hundred refused by a CHECK of production's; beside each contender CDC writes there.
  case refusals

  /// Those that are measured when none is named.
  package static let usual: [Workload] = [.mixed, .reload, .insert, .update, .sparse, .wide, .indexed]

  /// Whether production is not to fit into the server's memory.
  package var isCold: Bool { self == .cold || self == .coldOrdered }

  /// How long a message takes from the client to the server, and back; nil where nothing is between.
  package var delayMilliseconds: Int? {
    switch self {
    case .far5: 5
    case .far20: 20
    default: nil
    }
  }
  /// Not merged but verified: production has staging's keys and no others, and one row in a thousand is older.
  case verify
  /// The same, staging's keys one in five of production's.
  case verifySparse = "verify-sparse"

  /// Whether it is verified instead of merged.
  var isVerified: Bool { self == .verify || self == .verifySparse }

  /// What it is, in a few words.
  ///
  /// - Parameter keyStep: one in so many keys of production is in staging, where they are spread evenly.
  package func summary(keyStep: Int) -> String {
    switch self {
    case .mixed: "40 % newer, 30 % new, 30 % equal; keys 1 in \(keyStep) of production"
    case .reload: "95 % equal, 5 % newer; keys dense in one range"
    case .insert: "all new"
    case .update: "all newer; keys 1 in \(keyStep) of production"
    case .sparse: "as mixed; keys 1 in \(keyStep) of production"
    case .wide: "as mixed; 60 columns, 1 kB a row"
    case .indexed: "as mixed; seven indexes on production"
    case .cold:
      "50 % newer, 50 % equal; keys 1 in \(keyStep) of a production larger than memory, staging in another order"
    case .coldOrdered: "as cold; staging in key order"
    case .refusals: "as mixed; 1 % of the rows refused, CDC beside it"
    case .far5, .far20: "as mixed; the client \(delayMilliseconds ?? 0) ms away each way"
    case .verify, .verifySparse:
      "verified, not merged; keys \(keyStep == 1 ? "dense" : "1 in \(keyStep) of production")"
    }
  }

  /// How long a repetition takes, about, where one of the mixed workload takes 1; for dividing the time there is.
  var expectedCost: Double {
    switch self {
    case .mixed, .refusals: 1
    case .reload, .insert: 0.9
    case .update, .indexed, .wide: 0.6
    case .sparse: 0.4
    case .cold, .coldOrdered, .far5, .far20: 2
    case .verify, .verifySparse: 0.2
    }
  }

  /// One in so many rows is another in a workload that is verified.
  static let rowsPerDifference = 1000

  /// The table that is merged.
  var table: WorkloadTable {
    switch self {
    case .wide: .wide
    case .cold, .coldOrdered: .padded
    default: .orders
    }
  }

  /// Indexes on production besides the primary key, as the text behind `CREATE INDEX ON`.
  var productionIndexes: [SQL] {
    let plain: [SQL] = ["(customer_id)"]
    guard self == .indexed else { return plain }
    return plain + ["(amount)", "(order_date)", "(updated_at)", "(customer_id, order_date)", "(order_date, amount)"]
  }

  /// Which rows production refuses, as a condition on a row of the table; nil if none. Of staging's it is one in a hundred, of
  /// production's own none.
  func refusal(_ size: WorkloadSize, _ prefix: SQL = "") -> SQL? {
    guard self == .refusals else { return nil }
    let key = prefix + "\(WorkloadTable.key)" as SQL
    return """
      (\(key) <= \(size.productionRowCount) AND \(key) % \(100 * size.keyStep) = 0
       AND \(prefix)\(WorkloadTable.version) > \(WorkloadTable.firstVersion(key: key)))
      """
  }

  /// The key of the n-th staging row, and how many hours newer than production's its version is; NULL for a new row.
  func stagedRow(_ size: WorkloadSize) -> (key: SQL, hoursNewer: SQL) {
    let mixedShares: SQL = "CASE WHEN n % 10 < 4 THEN 24 WHEN n % 10 < 7 THEN 0 END"
    switch self {
    case .mixed, .wide, .indexed, .sparse, .far5, .far20, .refusals:
      return ("CASE WHEN n % 10 < 7 THEN n * \(size.keyStep) ELSE \(size.productionRowCount) + n END", mixedShares)
    case .reload:
      return ("\(size.productionRowCount - size.stagedRowCount) + n", "CASE WHEN n % 20 = 0 THEN 24 ELSE 0 END")
    case .insert: return ("\(size.productionRowCount) + n", "NULL::integer")
    case .cold:
      // Neighbours in staging lie far from each other: a prime that divides no number of rows that is likely.
      return (
        "(1 + n::bigint * 1000003 % \(size.stagedRowCount)) * \(size.keyStep)", "CASE WHEN n % 2 = 0 THEN 24 ELSE 0 END"
      )
    case .coldOrdered: return ("n * \(size.keyStep)", "CASE WHEN n % 2 = 0 THEN 24 ELSE 0 END")
    case .update: return ("n * \(size.keyStep)", "24")
    case .verify, .verifySparse:
      return ("n * \(size.keyStep)", "CASE WHEN n % \(Self.rowsPerDifference) = 0 THEN 24 ELSE 0 END")
    }
  }
}
