import BinaryCopy
import Libpq

/// Reads production's keys and versions between two keys from end to end, and picks out those of the candidates.
struct RangeProbe {
  private let plan: TablePlan
  /// For each possible key of a stretch, counted from its lowest, the candidate's position; -1 where there is none.
  private var candidateOfKey: [Int32] = []

  init(_ plan: TablePlan) {
    self.plan = plan
  }

  /// Fills `answer` for the candidates of `stretch`.
  mutating func lookUp(
    _ stretch: DenseKeys.Stretch,
    of batch: StagedBatch,
    on production: Connection,
    _ answer: inout ProbeAnswer
  ) throws {
    try index(stretch, of: batch)
    let start = answer.bytes.count
    _ = try production.copyOut(
      ProbeSQL.copyRange(plan, from: stretch.lowest, to: stretch.highest),
      into: &answer.bytes,
      "reading versions of \(plan.production)"
    )
    try read(stretch, from: start, &answer)
  }

  /// Notes where the candidates of `stretch` are.
  mutating func index(_ stretch: DenseKeys.Stretch, of batch: StagedBatch) throws(BinaryCopyError) {
    let bytes = batch.bytes.rawSpan
    candidateOfKey.removeAll(keepingCapacity: true)
    candidateOfKey.append(contentsOf: repeatElement(-1, count: Int(stretch.highest - stretch.lowest) + 1))
    for position in stretch.candidates {
      var cursor = CopyCursor(offset: batch.rows[Int(batch.candidates[position])].probeKey)
      guard let key = try bytes.integer(cursor.readField(in: bytes)) else { continue }
      candidateOfKey[Int(key - stretch.lowest)] = Int32(position)
    }
  }

  /// Fills `answer` for the rows of production that lie from `start` on in its bytes.
  func read(
    _ stretch: DenseKeys.Stretch,
    from start: Int,
    _ answer: inout ProbeAnswer
  ) throws(BinaryCopyError) {
    var matches = answer.matches
    answer.matches = []
    defer { answer.matches = matches }
    let bytes = answer.bytes.rawSpan
    var cursor = CopyCursor(offset: start)
    try cursor.readHeader(in: bytes)
    while let fieldCount = try cursor.beginRow(in: bytes) {
      guard fieldCount == 2 else { throw .fieldCount(found: fieldCount, expected: 2, offset: cursor.offset) }
      let keyField = try cursor.readField(in: bytes)
      let versionField = try cursor.readField(in: bytes)
      guard let key = try bytes.integer(keyField), (stretch.lowest...stretch.highest).contains(key) else {
        throw .unexpectedArray(offset: keyField.offset)
      }
      let position = candidateOfKey[Int(key - stretch.lowest)]
      guard position >= 0 else { continue }
      matches[Int(position)] = .found(try plan.versionType.read(versionField, in: bytes))
    }
  }
}
