import BinaryCopy
import Testing

@testable import MergeEngine

/// The contract's merge rule, line by line.
@Suite struct ClassifierTests {
  /// One line of the rule; a version of nil is NULL.
  struct Line: Sendable, CustomTestStringConvertible {
    let staging: Int64?
    /// Outer nil: production has no row.
    let production: Int64??
    var nullRule = MergeOptions.NullRule.productionLoses
    let verdict: Verdict

    var testDescription: String {
      "\(production.map { $0.map { "version \($0)" } ?? "NULL" } ?? "no row"), \(nullRule), "
        + "staging \(staging.map { "\($0)" } ?? "NULL")"
    }
  }

  static let rule: [Line] = [
    Line(staging: 10, production: nil, verdict: .insert),
    Line(staging: nil, production: nil, verdict: .insert),
    Line(staging: nil, production: nil, nullRule: .strict, verdict: .insert),
    Line(staging: 11, production: 10, verdict: .update),
    Line(staging: 11, production: 10, nullRule: .strict, verdict: .update),
    Line(staging: 10, production: 10, verdict: .unchanged),
    Line(staging: 10, production: 10, nullRule: .strict, verdict: .unchanged),
    Line(staging: 9, production: 10, verdict: .stale),
    Line(staging: 9, production: 10, nullRule: .strict, verdict: .stale),
    Line(staging: nil, production: 10, verdict: .stale),
    Line(staging: nil, production: 10, nullRule: .strict, verdict: .stale),
    Line(staging: 10, production: .some(nil), verdict: .update),
    Line(staging: 10, production: .some(nil), nullRule: .strict, verdict: .unchanged),
    Line(staging: nil, production: .some(nil), verdict: .unchanged),
    Line(staging: nil, production: .some(nil), nullRule: .strict, verdict: .unchanged),
    // Infinities.
    Line(staging: .max, production: 10, verdict: .update),
    Line(staging: .min, production: 10, verdict: .stale),
    Line(staging: .min, production: .some(nil), verdict: .update),
    Line(staging: nil, production: .min, verdict: .stale),
  ]

  @Test(arguments: rule)
  func `every line of the rule gives its verdict`(line: Line) throws {
    let plan = TablePlan.handMade(nullRule: line.nullRule)
    let outcome = try Outcome([HandMadeRow(1, version: line.staging)], plan) { _ in Self.match(line.production) }
    #expect(outcome.verdicts == [line.verdict])
    #expect(outcome.inserts == (line.verdict == .insert ? [0] : []))
    #expect(outcome.updates == (line.verdict == .update ? [0] : []))
  }

  @Test func `every row of a batch gets one verdict, and the lists hold inserts and updates in key order`() throws {
    // Key, staging's version, production's: new, newer, equal, older, without version.
    let rows: [(key: Int64, staging: Int64?, production: Int64??)] = [
      (9, 1, nil), (3, 5, 4), (1, 5, 5), (7, 5, 6), (5, nil, 1), (2, 5, .some(nil)), (4, nil, .some(nil)),
      (8, nil, nil),
      (3, 4, 4), (9, 0, nil), (6, 2, 1),
    ]
    let production = Dictionary(rows.map { ($0.key, $0.production) }) { first, _ in first }
    let outcome = try Outcome(rows.map { HandMadeRow($0.key, version: $0.staging) }, .handMade()) { key in
      Self.match(production[key] ?? nil)
    }
    #expect(
      outcome.verdicts == [
        .insert, .update, .unchanged, .stale, .stale, .update, .unchanged, .insert, .duplicate, .duplicate, .update,
      ]
    )
    #expect(outcome.updates == [5, 1, 10])
    #expect(outcome.inserts == [7, 0])
    #expect(outcome.counts == [.insert: 2, .update: 3, .unchanged: 2, .stale: 2, .duplicate: 2])
  }

  @Test func `the next batch knows nothing of the last`() throws {
    let plan = TablePlan.handMade()
    var classifier = Classifier()
    for _ in 0..<2 {
      var batch = try StagedBatch.arranged([HandMadeRow(1, version: 1)], plan)
      try classifier.classify(&batch, ProbeAnswer(matches: [.missing]), plan)
      #expect(classifier.inserts == [0] && classifier.updates.isEmpty)
    }
    var batch = try StagedBatch.arranged([], plan)
    try classifier.classify(&batch, ProbeAnswer(), plan)
    #expect(classifier.inserts.isEmpty && classifier.updates.isEmpty)
  }

  @Test func `a table without columns to update leaves newer rows unchanged`() throws {
    let plan = TablePlan.handMade(updatesNothing: true)
    let outcome = try Outcome([HandMadeRow(1, version: 9), HandMadeRow(2, version: 9)], plan) { key in
      key == 1 ? .found(.integer(1)) : .missing
    }
    #expect(outcome.verdicts == [.unchanged, .insert])
    #expect(outcome.updates.isEmpty)
  }

  @Test func `numeric versions are compared with those in the answer's bytes`() throws {
    let plan = TablePlan.handMade(version: TypeOid.numeric)
    func numeric(_ digit: Int16) -> [UInt8] { bytes(0x0001_0000_0000_0000 as UInt64) + bytes(digit) }
    let rows = [Int16(1), 2, 3].enumerated().map { HandMadeRow(key: [bytes(Int64($0))], version: numeric($1)) }
    var batch = try StagedBatch.arranged(rows, plan)
    let answer = ProbeAnswer(
      matches: Array(repeating: .found(.numeric(FieldRange(offset: 4, byteCount: 10))), count: 3),
      bytes: bytes(Int32(10)) + numeric(2)
    )
    var classifier = Classifier()
    try classifier.classify(&batch, answer, plan)
    #expect(batch.rows.map(\.verdict) == [.stale, .unchanged, .update])
  }

  @Test func `where the server tells which keys are equal the newest stays, of equals the last`() throws {
    let plan = TablePlan.handMade(key: [TypeOid.text], keyEqualityIsBytewise: false)
    let staged: [(key: String, version: Int64?)] = [
      ("a", 5), ("A", 7), ("b", 1), ("B", 1), ("á", 3), ("c", nil), ("C", nil),
    ]
    var batch = try StagedBatch.arranged(
      staged.map { HandMadeRow(key: [bytes($0.key)], version: $0.version.map { bytes($0) }) },
      plan
    )
    // As a collation without case would have it; candidates are in byte order: A B C a b c á.
    let answer = ProbeAnswer(
      matches: Array(repeating: .found(.integer(2)), count: 7),
      firstOfKey: [0, 1, 2, 0, 1, 2, 6]
    )
    var classifier = Classifier()
    try classifier.classify(&batch, answer, plan)
    #expect(batch.rows.map(\.verdict) == [.duplicate, .update, .duplicate, .stale, .update, .duplicate, .stale])
    #expect(classifier.updates == [1, 4])
  }

  /// What production has, as the probe says it.
  private static func match(_ version: Int64??) -> ProbeAnswer.Match {
    guard let version else { return .missing }
    return .found(version.map { .integer($0) } ?? .null)
  }
}

/// A batch that went through order and classification.
private struct Outcome {
  let verdicts: [Verdict]
  let inserts: [UInt32]
  let updates: [UInt32]

  /// - Parameter production: what production has for a key.
  init(_ rows: [HandMadeRow], _ plan: TablePlan, production: (Int64) -> ProbeAnswer.Match) throws {
    var batch = try StagedBatch.arranged(rows, plan)
    var answer = ProbeAnswer()
    for candidate in batch.candidates {
      let key = try batch.key(candidate) ?? []
      answer.matches.append(production(try key.rawSpan.bigEndian(at: 0)))
    }
    var classifier = Classifier()
    try classifier.classify(&batch, answer, plan)
    verdicts = batch.rows.map(\.verdict)
    inserts = classifier.inserts
    updates = classifier.updates
  }

  var counts: [Verdict: Int] { Dictionary(verdicts.map { ($0, 1) }, uniquingKeysWith: +) }
}
