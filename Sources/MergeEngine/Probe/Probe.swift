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

/// Looks up production's versions for one batch after the other.
struct Probe {
  private let plan: TablePlan
  private let statement: PreparedStatement
  private var keys: KeyArrays

  init(_ plan: TablePlan, _ production: Connection, statementName: String) throws(PostgresError) {
    self.plan = plan
    keys = KeyArrays(plan)
    statement = try production.prepare(
      statementName,
      plan.keyEqualityIsBytewise ? ProbeSQL.lookUp(plan) : ProbeSQL.lookUpAndGroup(plan),
      parameterTypes: ProbeSQL.parameterTypes(plan),
      "looking up \(plan.production)"
    )
  }

  /// Fills `answer` for the candidates of `batch`.
  ///
  /// - Throws: ``PostgresError`` of the statement; ``BinaryCopyError`` when its answer is not what was asked for.
  mutating func lookUp(_ batch: StagedBatch, on production: Connection, _ answer: inout ProbeAnswer) throws {
    answer.matches.removeAll(keepingCapacity: true)
    answer.firstOfKey.removeAll(keepingCapacity: true)
    answer.matches.append(contentsOf: repeatElement(.missing, count: batch.candidates.count))
    guard !batch.candidates.isEmpty else { return }
    try keys.collect(batch.candidates, of: batch)
    let result = try production.execute(statement, keys.parameters)
    try readVersions(result, &answer)
    if !plan.keyEqualityIsBytewise { try readGroups(result, &answer) }
  }

  private func readVersions(_ result: ResultSet, _ answer: inout ProbeAnswer) throws(BinaryCopyError) {
    // No match at all: array_agg over nothing is NULL.
    guard let ordinals = result.bytes(0, 0), let versions = result.bytes(0, 1) else { return }
    let presence = plan.keyEqualityIsBytewise ? [] : result.bytes(0, 3) ?? []
    var ordinalCursor = try BinaryArrayCursor(ordinals.rawSpan)
    var versionCursor = try BinaryArrayCursor(versions.rawSpan)
    var presenceCursor = presence.isEmpty ? nil : try BinaryArrayCursor(presence.rawSpan)
    for _ in 0..<ordinalCursor.count {
      let index = try Self.readOrdinal(&ordinalCursor, ordinals.rawSpan, limit: answer.matches.count)
      let version = try plan.versionType.read(versionCursor.next(in: versions.rawSpan), in: versions.rawSpan)
      if let isPresent = try presenceCursor?.next(in: presence.rawSpan) {
        guard try presence.rawSpan.bigEndian(at: isPresent.offset, as: UInt8.self) == 1 else { continue }
      }
      answer.matches[index] = .found(version)
    }
    answer.bytes = versions
  }

  private func readGroups(_ result: ResultSet, _ answer: inout ProbeAnswer) throws(BinaryCopyError) {
    guard let ordinals = result.bytes(0, 0), let firsts = result.bytes(0, 2) else { return }
    let count = answer.matches.count
    answer.firstOfKey.append(contentsOf: repeatElement(0, count: count))
    var ordinalCursor = try BinaryArrayCursor(ordinals.rawSpan)
    var firstCursor = try BinaryArrayCursor(firsts.rawSpan)
    for _ in 0..<ordinalCursor.count {
      let index = try Self.readOrdinal(&ordinalCursor, ordinals.rawSpan, limit: count)
      answer.firstOfKey[index] = UInt32(try Self.readOrdinal(&firstCursor, firsts.rawSpan, limit: count))
    }
  }

  /// - Returns: the ordinal counted from 0.
  private static func readOrdinal(
    _ cursor: inout BinaryArrayCursor,
    _ bytes: RawSpan,
    limit: Int
  ) throws(BinaryCopyError) -> Int {
    let field = try cursor.next(in: bytes)
    let ordinal = Int(try bytes.bigEndian(at: field.offset, as: Int32.self))
    guard (1...limit).contains(ordinal) else { throw .unexpectedArray(offset: field.offset) }
    return ordinal - 1
  }
}
