import BinaryCopy
import Libpq

@testable import MergeEngine

/// A batch of the guide's orders, as a staging read sends it, without a server.
enum OrdersBatch {
  private static let bigint: UInt32 = 20
  private static let integer: UInt32 = 23
  private static let timestamp: UInt32 = 1114
  private static let numeric: UInt32 = 1700

  static let plan = TablePlan(
    staging: QualifiedName(schema: "staging", name: "orders"),
    production: QualifiedName(schema: "production", name: "orders"),
    productionOid: 1,
    estimatedRowCount: nil,
    columns: [
      column("order_id", integer), column("updated_at", timestamp), column("customer_id", integer),
      column("amount", numeric), column("order_date", timestamp),
    ],
    keyColumnCount: 1,
    versionIndex: 1,
    versionType: .integer(byteCount: 8),
    sendsProbeKeys: false,
    keyEqualityIsBytewise: true,
    keyIndexOid: 2,
    keyIsDeferrable: false,
    keyIsPrimary: true,
    hasStatusColumn: true,
    nullRule: .productionLoses,
    writing: .init(marksRows: true)
  )

  /// The bytes of so many rows, their keys shuffled by a multiplication.
  ///
  /// - Parameter columnCount: how many of the plan's columns each row has; 2 for key and version alone.
  static func bytes(rowCount: Int, columnCount: Int = plan.columns.count) -> [UInt8] {
    var writer = CopyWriter(capacity: rowCount * 80)
    writer.writeHeader()
    for row in 0..<rowCount {
      let key = Int32(truncatingIfNeeded: row * 7919 % keyCount)
      let columns = [
        big(key), big(Int64(key) * 1_000_000), big(Int32(key % 20_000)), [0, 2, 0, 0, 0, 0, 0, 2, 0, 12, 13, 72],
        big(Int64(key) * 86_400_000_000),
      ]
      writer.beginRow(fieldCount: 1 + columnCount)
      writer.writeField(big(UInt32(row / 60)) + big(UInt16(row % 60 + 1)))
      for column in columns.prefix(columnCount) { writer.writeField(column) }
    }
    writer.writeTrailer()
    return writer.bytes
  }

  /// All keys lie below. A prime, so that no two rows have the same.
  static let keyCount = 1_000_003

  /// Production's keys and versions as a stretch of them is read: all of the rows', a day older.
  static func productionStretch(rowCount: Int) -> [UInt8] {
    var writer = CopyWriter(capacity: rowCount * 24)
    writer.writeHeader()
    for row in 0..<rowCount {
      let key = Int32(truncatingIfNeeded: row * 7919 % keyCount)
      writer.beginRow(fieldCount: 2)
      writer.writeField(big(key))
      writer.writeField(big(Int64(key) * 1_000_000 - 86_400_000_000))
    }
    writer.writeTrailer()
    return writer.bytes
  }

  /// What production answers: every third key missing, every third older, every third equal.
  static func answer(_ batch: StagedBatch) -> ProbeAnswer {
    var answer = ProbeAnswer()
    for (position, row) in batch.candidates.enumerated() {
      switch (position % 3, batch.rows[Int(row)].version) {
      case (1, .integer(let version)): answer.matches.append(.found(.integer(version - 1)))
      case (2, let version): answer.matches.append(.found(version))
      default: answer.matches.append(.missing)
      }
    }
    return answer
  }

  private static func big(_ value: some FixedWidthInteger) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(bigEndian: value)
    return bytes
  }

  private static func column(_ name: String, _ oid: UInt32) -> TablePlan.Column {
    TablePlan.Column(
      name: Identifier(name),
      readExpression: "s.\(Identifier(name))",
      travel: .binary,
      baseType: CatalogColumn.BaseType(
        oid: oid,
        modifier: -1,
        plainName: "any",
        fullName: "any",
        arrayOid: oid == integer ? 1007 : oid,
        nonDeterministicCollation: nil
      ),
      isInsertOnly: false,
      equality: "="
    )
  }
}
