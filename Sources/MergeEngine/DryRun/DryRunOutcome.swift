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
  /// Pages of production that look-ups visited, where production is larger than memory.
  var pages = PageCounts()
  /// Bytes of the values of the rows that would be written, lengths left out.
  private(set) var insertedByteCount = 0
  private(set) var updatedByteCount = 0
  /// Which staging rows to show, by the kind that each batch by itself has given them.
  private var seen: [PlanReport.SampleKind: [SampledRow]] = [:]
  /// Which staging rows to show, by kind.
  var samples: [PlanReport.SampleKind: [SampledRow]] {
    var samples = seen
    // Who is refused or not may have been decided behind the batch.
    for (kind, rows) in seen { samples[kind] = rows.filter { refused.keys.contains($0.address) == (kind == .error) } }
    return samples
  }

  /// Rows that production would refuse, by address, and why, as it is said behind "3 rows"; nil if a row can't be read.
  private(set) var refused: [UInt64: String?] = [:]
  /// Rows that were refused earlier and would be again: a run leaves them as they stand, and reads none of them.
  ///
  /// - Returns: how many there are.
  mutating func leave(_ rows: Set<UInt64>) -> Int {
    let count = rows.count { refused[$0] != nil }
    counts.read -= count
    counts.errors -= count
    return count
  }

  /// Rows that can't be read as production's types.
  var unreadable: [UInt64] { refused.filter { $0.value == nil }.keys.sorted() }
  /// Rows that are refused unless another row of the run helps them.
  var hopeful: [HopefulRow] = []
  /// Refused rows that want a unique value which another row of their batch gets.
  private(set) var contested: Set<UInt64> = []
  /// The unique values that older rows of refused rows' keys want and share with others, by address.
  private(set) var inherited: [UInt64: [SharedValues.Value]] = [:]
  /// Some row lacks its parent for good.
  private(set) var hasOrphans = false
  /// Some hopeful row was given up, and so takes no unique value from others.
  private(set) var hasGivenUp = false
  private var notes: [String] = []

  /// What should be known: who would be refused why, and what the counts don't hold.
  var warnings: [String] {
    let reasons = refused.values.reduce(into: [String: Int]()) { counts, words in
      if let words { counts[words, default: 0] += 1 }
    }
    return reasons.sorted { $0.key < $1.key }.map { "\($1.rows) \($0) would be quarantined." } + notes
  }

  private let sampleLimit: Int

  /// A staging row to show.
  struct SampledRow {
    let address: UInt64
    /// Why the server can't read it, or would refuse it.
    var refusal: String?
  }

  /// A row that production refuses as it is now.
  struct HopefulRow {
    let address: UInt64
    let verdict: Verdict
    /// All that stands against it, by their positions in ``Foresight/objections``.
    let objections: [Int]
  }

  init(sampleLimit: Int) {
    self.sampleLimit = sampleLimit
  }

  /// A row can't be read as production's types.
  mutating func addUnreadable(_ address: UInt64, _ error: PostgresError) {
    refused.updateValue(nil, forKey: address)
    add(SampledRow(address: address, refusal: error.reason), .error)
  }

  /// Production would refuse a row.
  mutating func refuse(_ address: UInt64, _ words: String) {
    refused[address] = words
    add(SampledRow(address: address, refusal: "a row \(words)"), .error)
  }

  /// Another row of its batch gets the unique value that a row wants.
  mutating func refuse(contested address: UInt64, _ words: String) {
    refuse(address, words)
    contested.insert(address)
  }

  /// Older rows of refused rows' keys share values with other rows of their batch.
  mutating func inherit(_ values: [UInt64: [SharedValues.Value]]) {
    inherited.merge(values) { $1 }
  }

  /// Production would not even be asked to take a row.
  mutating func spare(_ address: UInt64) {
    refused[address] = nil
    contested.remove(address)
  }

  /// Nothing of the run helps these hopeful rows: their verdicts are errors after all.
  ///
  /// - Parameters:
  ///   - helpless: by address, which of `objections` stands against a row.
  ///   - areContested: what they want another row gets.
  mutating func giveUp(_ helpless: [UInt64: Int], _ objections: [Objection], areContested: Bool = false) {
    guard !helpless.isEmpty else { return }
    if !areContested { hasGivenUp = true }
    for row in hopeful {
      guard let objection = helpless[row.address] else { continue }
      let words = objections[objection].words
      if areContested { refuse(contested: row.address, words) } else { refuse(row.address, words) }
      if objections[objection].isAboutParent { hasOrphans = true }
      exchange(row.verdict, for: .error)
    }
    hopeful.removeAll { helpless[$0.address] != nil }
  }

  /// One row's verdict turns out to be another.
  mutating func exchange(_ old: Verdict, for new: Verdict) {
    guard old != new else { return }
    counts.add(-1, to: old)
    counts.add(1, to: new)
  }

  /// Says something about the counts, once.
  mutating func note(_ text: String) {
    if !notes.contains(text) { notes.append(text) }
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
      guard (seen[kind]?.count ?? 0) < sampleLimit else { continue }
      for row in batch.rows.lazy.filter({ $0.verdict == verdict }).prefix(sampleLimit) {
        add(SampledRow(address: row.address), kind)
      }
    }
  }

  private mutating func add(_ row: SampledRow, _ kind: PlanReport.SampleKind) {
    guard (seen[kind]?.count ?? 0) < sampleLimit else { return }
    seen[kind, default: []].append(row)
  }
}

extension VerdictCounts {
  /// Changes the count of one verdict.
  fileprivate mutating func add(_ change: Int, to verdict: Verdict) {
    switch verdict {
    case .insert: inserted += change
    case .update: updated += change
    case .unchanged: unchanged += change
    case .stale: stale += change
    case .duplicate: duplicate += change
    case .error: errors += change
    }
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
