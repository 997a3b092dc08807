import BinaryCopy
import Libpq

/// What a dry run has seen of one table so far.
struct DryRunOutcome {
  var counts = VerdictCounts()
  /// Rows as new as production's that hold something else.
  var differingTieCount = 0
  /// The batches in the order in which they were read.
  var ranges: [TupleRange] = []
  /// Wall clock of reading staging.
  var readTime = Duration.zero
  /// Wall clock of looking up production's versions.
  var probeTime = Duration.zero
  /// Bytes of the values of the rows that would be written, lengths left out.
  private(set) var insertedByteCount = 0
  private(set) var updatedByteCount = 0
  /// Which staging rows to show, by kind.
  private(set) var samples: [PlanReport.SampleKind: [SampledRow]] = [:]

  /// What should be known about the counts.
  var notes: [String] = []

  private let sampleLimit: Int

  /// A staging row to show.
  struct SampledRow {
    let address: UInt64
    /// Why the server can't read it.
    var refusal: String?
  }

  init(sampleLimit: Int) {
    self.sampleLimit = sampleLimit
  }

  mutating func addRefused(_ address: UInt64, _ error: PostgresError) {
    add(SampledRow(address: address, refusal: error.reason), .error)
  }

  mutating func measureWidths(_ memory: BatchMemory) {
    let rows = memory.batch.rows
    for row in memory.classifier.inserts { insertedByteCount += rows[Int(row)].fields.count }
    for row in memory.classifier.updates { updatedByteCount += rows[Int(row)].fields.count }
  }

  /// Takes the first rows of each verdict.
  mutating func takeSamples(_ batch: StagedBatch, differingTies: [UInt32]) {
    for row in differingTies.prefix(sampleLimit) { add(SampledRow(address: batch.rows[Int(row)].address), .tie) }
    for verdict in [Verdict.insert, .update, .unchanged, .stale, .duplicate] {
      let kind = PlanReport.SampleKind(verdict)
      guard (samples[kind]?.count ?? 0) < sampleLimit else { continue }
      for row in batch.rows.lazy.filter({ $0.verdict == verdict }).prefix(sampleLimit) {
        add(SampledRow(address: row.address), kind)
      }
    }
  }

  private mutating func add(_ row: SampledRow, _ kind: PlanReport.SampleKind) {
    guard (samples[kind]?.count ?? 0) < sampleLimit else { return }
    samples[kind, default: []].append(row)
  }
}

extension PostgresError {
  /// What the server said, without what was being done.
  var reason: String { message + (sqlState.map { " (SQLSTATE \($0.code))" } ?? "") }
}

extension PlanReport.SampleKind {
  init(_ verdict: Verdict) {
    self =
      switch verdict {
      case .insert: .insert
      case .update: .update
      case .unchanged: .unchanged
      case .stale: .stale
      case .duplicate: .duplicate
      case .error: .error
      }
  }
}
