import BinaryCopy
import Libpq

/// Looks up production's versions key by key, over the primary key's index.
struct KeyProbe {
  private let plan: TablePlan
  private let statement: PreparedStatement
  /// Only where ``mayReadAhead``.
  private var aheadStatement: PreparedStatement?
  private let statementName: String
  private var keys: KeyArrays

  init(_ plan: TablePlan, _ production: Connection, statementName: String) throws(PostgresError) {
    self.plan = plan
    self.statementName = statementName
    keys = KeyArrays(plan)
    statement = try production.prepareWithNext(
      statementName,
      ProbeSQL.lookUpKeys(plan),
      parameterTypes: ProbeSQL.parameterTypes(plan),
      "looking up \(plan.production)"
    )
  }

  /// Fills `answer` for every candidate.
  ///
  /// - Parameters:
  ///   - groups: the candidates, by position, that are looked up together: equal keys in the same group; nil for all of them.
  ///   - ahead: has the server read ahead, where it may.
  mutating func lookUp(
    _ batch: StagedBatch,
    inGroups groups: [[Int]]? = nil,
    on production: Connection,
    ahead: ReadAhead? = nil,
    _ answer: inout ProbeAnswer
  ) throws {
    let ahead = try ahead != nil && mayReadAhead(batch) ? ahead : nil
    if !plan.keyEqualityIsBytewise { answer.firstOfKey += batch.candidates.indices.lazy.map { UInt32($0) } }
    guard let groups else { return try lookUp(nil, of: batch, on: production, ahead, &answer) }
    for group in groups { try lookUp(group, of: batch, on: production, ahead, &answer) }
  }

  /// - Parameter group: positions of candidates; nil for all.
  private mutating func lookUp(
    _ group: [Int]?,
    of batch: StagedBatch,
    on production: Connection,
    _ ahead: ReadAhead?,
    _ answer: inout ProbeAnswer
  ) throws {
    try keys.collect(group?.map { batch.candidates[$0] } ?? batch.candidates, of: batch)
    let result = try result(on: production, ahead)
    try readVersions(result, group, &answer)
    if !plan.keyEqualityIsBytewise { try readGroups(result, group, &answer) }
  }

  private mutating func result(on production: Connection, _ ahead: ReadAhead?) throws -> ResultSet {
    guard let ahead else { return try production.execute(statement, keys.parameters) }
    let statement =
      try aheadStatement
      ?? production.prepare(
        "\(statementName)_ahead",
        ProbeSQL.lookUpAhead(plan),
        parameterTypes: ProbeSQL.parameterTypes(plan),
        "looking up \(plan.production)"
      )
    aheadStatement = statement
    return try ahead.during(on: production) { try production.execute(statement, keys.parameters) }
  }

  /// Beyond so many possible keys for one that is there the bitmap would hold mostly others' rows. Arbitrary.
  private static let possibleKeysPerCandidate = 4

  /// Whether the values of the key's columns, each for itself, make not many more keys than the batch has: always with one
  /// column; with several where all but one have few values, as the numbers of an order's lines have.
  private func mayReadAhead(_ batch: StagedBatch) throws(BinaryCopyError) -> Bool {
    // Values in text would have to be cast one by one.
    guard !plan.keyColumns.contains(where: \.probesAsText) else { return false }
    guard plan.keyColumnCount > 1 else { return true }
    let bytes = batch.bytes.rawSpan
    var values = [Set<Int>](repeating: [], count: plan.keyColumnCount)
    for row in batch.candidates {
      var cursor = CopyCursor(offset: batch.rows[Int(row)].probeKey)
      for index in values.indices {
        let field = try cursor.readField(in: bytes)
        var hasher = Hasher()
        for offset in 0..<max(field.byteCount, 0) {
          hasher.combine(try bytes.bigEndian(at: field.offset + offset, as: UInt8.self))
        }
        values[index].insert(hasher.finalize())
      }
    }
    let limit = Self.possibleKeysPerCandidate * batch.candidates.count
    var possibleCount = 1
    for column in values {
      let (product, overflow) = possibleCount.multipliedReportingOverflow(by: column.count)
      guard !overflow, product <= limit else { return false }
      possibleCount = product
    }
    return true
  }

  private func readVersions(
    _ result: ResultSet,
    _ group: [Int]?,
    _ answer: inout ProbeAnswer
  ) throws(BinaryCopyError) {
    // No match at all: array_agg over nothing is NULL.
    guard let ordinals = result.bytes(0, 0), let versions = result.bytes(0, 1) else { return }
    let presence = plan.keyEqualityIsBytewise ? [] : result.bytes(0, 3) ?? []
    let start = answer.bytes.count
    answer.bytes += versions
    var matches = answer.matches
    answer.matches = []
    defer { answer.matches = matches }
    var ordinalCursor = try BinaryArrayCursor(ordinals.rawSpan)
    var versionCursor = try BinaryArrayCursor(answer.bytes.rawSpan, at: start)
    var presenceCursor = presence.isEmpty ? nil : try BinaryArrayCursor(presence.rawSpan)
    for _ in 0..<ordinalCursor.count {
      let index = try Self.readOrdinal(&ordinalCursor, ordinals.rawSpan, limit: group?.count ?? matches.count)
      let field = try versionCursor.next(in: answer.bytes.rawSpan)
      let version = try plan.versionType.read(field, in: answer.bytes.rawSpan)
      if let isPresent = try presenceCursor?.next(in: presence.rawSpan) {
        guard try presence.rawSpan.bigEndian(at: isPresent.offset, as: UInt8.self) == 1 else { continue }
      }
      matches[group?[index] ?? index] = .found(version)
    }
  }

  private func readGroups(_ result: ResultSet, _ group: [Int]?, _ answer: inout ProbeAnswer) throws(BinaryCopyError) {
    guard let ordinals = result.bytes(0, 0), let firsts = result.bytes(0, 2) else { return }
    var ordinalCursor = try BinaryArrayCursor(ordinals.rawSpan)
    let count = group?.count ?? answer.matches.count
    var firstCursor = try BinaryArrayCursor(firsts.rawSpan)
    for _ in 0..<ordinalCursor.count {
      let index = try Self.readOrdinal(&ordinalCursor, ordinals.rawSpan, limit: count)
      let first = try Self.readOrdinal(&firstCursor, firsts.rawSpan, limit: count)
      answer.firstOfKey[group?[index] ?? index] = UInt32(group?[first] ?? first)
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
