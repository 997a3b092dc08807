import BinaryCopy
import Libpq

/// What production holds for the candidates of a batch.
struct ProbeAnswer {
  /// For each candidate, in their order.
  var matches: [Match] = []
  /// The bytes that numeric versions lie in.
  var bytes: [UInt8] = []
  /// For each candidate the first candidate with an equal key; empty where equal keys have equal bytes.
  var firstOfKey: [UInt32] = []

  enum Match {
    /// Production has no row with the key.
    case missing
    /// Production has a row with this version.
    case found(StagedVersion)
  }
}

/// Looks up production's versions for one batch after the other: dense stretches of integer keys by reading them from
/// end to end, all other keys one by one.
struct Probe {
  /// For keys that are integers, by arrays of them and from end to end.
  private var integerProbe: IntegerKeyProbe?
  private var rangeProbe: RangeProbe?
  /// For other keys: nothing says how many rows lie between two of them.
  private var keyProbe: KeyProbe?
  private var keys = DenseKeys()
  /// Where production's rows lie in shards: each of them is asked for its own keys, one by one.
  private var shards: ShardKeys?
  /// Made when it is wanted for the first time.
  private var ahead: ReadAhead?

  init(_ plan: TablePlan, _ production: Connection, statementName: String) throws(PostgresError) {
    shards = try ShardKeys(plan, production, statementName: "\(statementName)_shards")
    if plan.keyIsOneInteger {
      integerProbe = try IntegerKeyProbe(plan, production, statementName: statementName)
      rangeProbe = RangeProbe(plan)
    } else {
      keyProbe = try KeyProbe(plan, production, statementName: statementName)
    }
  }

  /// Fills `answer` for the candidates of `batch`.
  ///
  /// - Parameter readsAhead: production is larger than memory; a transaction must be open then.
  /// - Throws: ``PostgresError`` of the statement; ``BinaryCopyError`` when its answer is not what was asked for.
  mutating func lookUp(
    _ batch: StagedBatch,
    on production: Connection,
    readsAhead: Bool = false,
    _ answer: inout ProbeAnswer
  ) throws {
    answer.bytes.removeAll(keepingCapacity: true)
    answer.matches.removeAll(keepingCapacity: true)
    answer.firstOfKey.removeAll(keepingCapacity: true)
    answer.matches.append(contentsOf: repeatElement(.missing, count: batch.candidates.count))
    guard !batch.candidates.isEmpty else { return }
    if readsAhead, ahead == nil { ahead = try ReadAhead(production) }
    let ahead = readsAhead ? ahead : nil
    guard integerProbe != nil else {
      let groups = try shards?.divide(batch.candidates, of: batch, on: production)
      try keyProbe?.lookUp(batch, inGroups: groups, on: production, ahead: ahead, &answer)
      return
    }
    guard let ahead else { return try lookUpIntegers(batch, on: production, readsAhead: false, &answer) }
    try ahead.during(on: production) { try lookUpIntegers(batch, on: production, readsAhead: true, &answer) }
  }

  /// The same, without the candidates whose keys production can't read: of an enum or an encoding that has other values on the
  /// side where staging is. They are found by halves, and are no candidates any more.
  ///
  /// - Parameters:
  ///   - readsAhead: as for ``lookUp(_:on:readsAhead:_:)``.
  ///   - attempt: runs a statement that may fail so that the connection can be used on.
  /// - Returns: these rows, with the server's reasons.
  mutating func lookUpReadable(
    _ batch: inout StagedBatch,
    on production: Connection,
    readsAhead: Bool = false,
    _ answer: inout ProbeAnswer,
    attempt: (() throws -> Void) throws -> Void
  ) throws -> [(row: UInt32, error: PostgresError)] {
    var unreadable: [(row: UInt32, error: PostgresError)] = []
    var open = [batch.candidates[...]]
    var readable: [UInt32] = []
    while let part = open.popLast() {
      batch.candidates = Array(part)
      do {
        try attempt { try lookUp(batch, on: production, readsAhead: readsAhead, &answer) }
        readable += part
      } catch let error as PostgresError where error.origin == .server && error.refusesRow {
        let middle = part.startIndex + part.count / 2
        // The lower half first, so that the readable ones stay in their order.
        if part.count > 1 {
          open += [part[middle...], part[..<middle]]
        } else {
          unreadable.append((part[part.startIndex], error))
        }
      }
    }
    batch.candidates = readable
    // In one answer, which one part after the other does not give.
    if !unreadable.isEmpty { try attempt { try lookUp(batch, on: production, readsAhead: readsAhead, &answer) } }
    return unreadable
  }

  private mutating func lookUpIntegers(
    _ batch: StagedBatch,
    on production: Connection,
    readsAhead: Bool,
    _ answer: inout ProbeAnswer
  ) throws {
    if let groups = try shards?.divide(batch.candidates, of: batch, on: production) {
      for group in groups {
        try integerProbe?.lookUp(group, of: batch, on: production, readsAhead: readsAhead, &answer)
      }
      return
    }
    try keys.divide(batch)
    try integerProbe?.lookUp(keys.others, of: batch, on: production, readsAhead: readsAhead, &answer)
    for stretch in keys.stretches { try rangeProbe?.lookUp(stretch, of: batch, on: production, &answer) }
  }
}
