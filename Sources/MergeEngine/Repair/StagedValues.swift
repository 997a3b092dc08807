import Libpq

/// Finds and reads the staging rows that differences were seen in: by key, of the version that was seen, and written by the
/// transaction that had written them then. VACUUM FULL, CLUSTER and freezing move rows and keep that.
struct StagedValues {
  private let plan: TablePlan
  private let staging: Connection

  init(_ plan: TablePlan, _ staging: Connection) {
    self.plan = plan
    self.staging = staging
  }

  /// - Returns: for each difference where its staging row lies; nil where it has gone, or has been written since.
  func addresses(of differences: [Difference]) throws(PostgresError) -> [UInt64?] {
    var addresses = [UInt64?](repeating: nil, count: differences.count)
    try find(differences, Array(differences.indices), byPlace: true, &addresses)
    let rest = differences.indices.filter { addresses[$0] == nil }
    guard !rest.isEmpty else { return addresses }
    // Rewritten meanwhile, perhaps. Staging need not have an index on its key: only a hash join reads it once.
    try staging.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on", operation)
    try find(differences, rest, byPlace: false, &addresses)
    try staging.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_seqscan = off", operation)
    return addresses
  }

  private var operation: String { "looking for rows of \(plan.staging)" }

  private func find(
    _ differences: [Difference],
    _ wanted: [Int],
    byPlace: Bool,
    _ addresses: inout [UInt64?]
  ) throws(PostgresError) {
    // By value: whoever repairs may write times in another zone than whoever has verified.
    let match = plan.keyColumns.indices.map { index in
      let column = plan.columns[index]
      return column.travel == .text
        ? "(\(column.readExpression))::text = k.k\(index)"
        : "\(column.readExpression) \(column.equality) k.k\(index)::\(column.baseType.uncutName)" as SQL
    }
    let version = plan.version.readExpression
    let place: SQL = byPlace ? "s.ctid = k.place::tid AND " : ""
    let result = try staging.query(
      """
      SELECT k.ordinal::bigint, max(s.ctid)::text
      FROM \(KeyTexts.source(plan, and: "version", "place", "writer"))
      JOIN \(plan.staging) AS s ON \(place)\(match.joined(" AND ")) AND k.writer IN (s.xmin::text, '')
        AND CASE WHEN k.version = '' THEN \(version) IS NULL
                 ELSE \(version) = k.version::\(plan.version.baseType.fullName) END
      GROUP BY k.ordinal
      """,
      KeyTexts.parameters(plan, wanted.map { differences[$0].key }) + [
        // NULL is no element of such an array, and no version is an empty text.
        .textArray(wanted.map { differences[$0].stagingVersion ?? "" }),
        .textArray(wanted.map { differences[$0].stagingRow?.ctid ?? "(0,0)" }),
        .textArray(wanted.map { differences[$0].stagingRow?.xmin ?? "" }),
      ],
      operation
    )
    for row in 0..<result.count {
      guard let ordinal = result.integer(row, 0) else { continue }
      addresses[wanted[ordinal - 1]] = result.text(row, 1).flatMap { TupleAddress(text: $0)?.packed }
    }
  }

  /// Reads rows whole, in the form in which they are written.
  ///
  /// - Returns: false when they are more than a batch may hold.
  func read(_ addresses: [UInt64], into batch: inout StagedBatch) throws -> Bool {
    batch.removeAll()
    guard !addresses.isEmpty else { return true }
    let end = try staging.copyOut(
      """
      COPY (SELECT \(ClaimSQL.outputs(plan)) FROM \(plan.staging) AS s WHERE \(SQL.rows(at: addresses)))
      TO STDOUT (FORMAT binary)
      """,
      into: &batch.bytes,
      // A single row is as long as it is.
      byteLimit: addresses.count > 1 ? BatchLimit.byteCount : .max,
      "reading rows of \(plan.staging)"
    )
    guard end == .complete else { return false }
    try batch.index(plan)
    return true
  }
}
