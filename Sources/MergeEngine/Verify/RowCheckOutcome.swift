import Libpq

/// What the verification of one table has found so far.
struct RowCheckOutcome: Sendable {
  var counts = RowCheckCounts()
  /// Differing rows by place in ``TablePlan/columns``.
  private(set) var columnCounts: [Int: Int] = [:]
  /// Rows to show: enough of each kind and of each column.
  private(set) var samples: [Sample] = []

  private let sampleLimit: Int
  private var kindSampleCounts: [VerifyReport.DifferenceKind: Int] = [:]
  private var columnSampleCounts: [Int: Int] = [:]

  struct Sample: Sendable {
    let kind: VerifyReport.DifferenceKind
    let address: UInt64
    /// Places in ``TablePlan/columns``.
    var columns: [Int] = []
    /// Why the server can't read it.
    var refusal: String?
  }

  init(sampleLimit: Int) {
    self.sampleLimit = sampleLimit
  }

  /// Counts a row that differs.
  mutating func add(_ kind: VerifyReport.DifferenceKind, at address: UInt64, columns: [Int] = []) {
    switch kind {
    case .missing: counts.missing += 1
    case .outdated: counts.outdated += 1
    case .differing: counts.differing += 1
    case .deletedSince: counts.deletedSince += 1
    case .unreadable: preconditionFailure("an unreadable row has a reason")
    case .extra: preconditionFailure("extra rows have no staging row")
    }
    for column in columns { columnCounts[column, default: 0] += 1 }
    sample(Sample(kind: kind, address: address, columns: columns))
  }

  /// Counts a row that the server can't read as production's types.
  mutating func addUnreadable(_ address: UInt64, _ error: PostgresError) {
    counts.unreadable += 1
    sample(Sample(kind: .unreadable, address: address, refusal: error.reason))
  }

  private mutating func sample(_ sample: Sample) {
    let isWanted =
      kindSampleCounts[sample.kind, default: 0] < sampleLimit
      || sample.columns.contains { columnSampleCounts[$0, default: 0] < sampleLimit }
    guard isWanted else { return }
    samples.append(sample)
    kindSampleCounts[sample.kind, default: 0] += 1
    for column in sample.columns { columnSampleCounts[column, default: 0] += 1 }
  }

  /// Adds what another worker has found.
  static func += (left: inout Self, right: Self) {
    left.counts += right.counts
    left.columnCounts.merge(right.columnCounts) { $0 + $1 }
    for sample in right.samples { left.sample(sample) }
  }
}
