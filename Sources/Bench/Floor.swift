import BinaryCopy
import Libpq

/// The bare writes: what has to be inserted by COPY, what has to be updated from a table that holds just that.
///
/// Each connection has its share of both. The rows to insert are fetched into memory before the clock starts.
struct Floor: Sendable {
  private let table: WorkloadTable
  private let connectionCount: Int
  private let batchRows: Int

  init(_ table: WorkloadTable, connections: Int, batchRows: Int) {
    self.table = table
    connectionCount = connections
    self.batchRows = batchRows
  }

  /// One connection's share.
  struct Share: Sendable {
    fileprivate let newRows: [UInt8]
    fileprivate let changedOrdinals: Range<Int>
  }

  /// Cuts the rows into shares, in key order.
  func shares(_ connection: Connection) throws -> [Share] {
    let counts = try connection.query(
      """
      SELECT (SELECT count(*) FROM \(WorkloadSQL.answer).new_rows),
             (SELECT count(*) FROM \(WorkloadSQL.answer).changed_rows)
      """,
      "counting the answer"
    )
    let newCount = counts.integer(0, 0) ?? 0
    let changedCount = counts.integer(0, 1) ?? 0
    return try (0..<connectionCount).map { index in
      var bytes: [UInt8] = []
      let ordinals = cut(newCount, index)
      _ = try connection.copyOut(
        """
        COPY (SELECT \(table.columnList()) FROM \(WorkloadSQL.answer).new_rows
              WHERE ordinal >= \(ordinals.lowerBound) AND ordinal < \(ordinals.upperBound) ORDER BY ordinal)
        TO STDOUT (FORMAT binary)
        """,
        into: &bytes,
        "fetching the new rows"
      )
      return Share(newRows: bytes, changedOrdinals: cut(changedCount, index))
    }
  }

  /// Writes one share: one COPY, and the updates in batches with the settings that the engine's have.
  func write(_ share: Share, _ connection: Connection) throws {
    try connection.execute(
      """
      SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET enable_bitmapscan = off;
      SET jit = off; SET synchronous_commit = off
      """,
      "setting up the session"
    )
    let production = QualifiedName(schema: Identifier("production"), name: table.name)
    try connection.copyIn(
      "COPY \(production) (\(table.columnList())) FROM STDIN (FORMAT binary)",
      "inserting into \(production)"
    ) { stream in
      // Arbitrary, between the costs of a call and of a cache miss.
      let pieceByteCount = 128 * 1024
      var start = 0
      while start < share.newRows.count {
        let end = min(start + pieceByteCount, share.newRows.count)
        try stream.write(share.newRows.rawSpan.extracting(start..<end))
        start = end
      }
    }
    for start in stride(from: share.changedOrdinals.lowerBound, to: share.changedOrdinals.upperBound, by: batchRows) {
      let end = min(start + batchRows, share.changedOrdinals.upperBound)
      try connection.execute(
        """
        UPDATE \(production) AS p SET \(table.assignments(from: "c")) FROM \(WorkloadSQL.answer).changed_rows AS c
        WHERE c.ordinal >= \(start) AND c.ordinal < \(end) AND p.\(WorkloadTable.key) = c.\(WorkloadTable.key)
        """,
        "updating \(production)"
      )
    }
    try connection.execute("SET synchronous_commit = on; SELECT pg_current_xact_id()", "committing")
  }

  /// The ordinals, from 1, of the share with this index.
  private func cut(_ count: Int, _ index: Int) -> Range<Int> {
    (1 + count * index / connectionCount)..<(1 + count * (index + 1) / connectionCount)
  }
}
