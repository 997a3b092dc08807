import BinaryCopy
import Libpq

@testable import MergeEngine

/// Types by their oid, as `pg_type` has them.
enum TypeOid {
  static let bigint: UInt32 = 20
  static let smallint: UInt32 = 21
  static let integer: UInt32 = 23
  static let text: UInt32 = 25
  static let date: UInt32 = 1082
  static let timestamp: UInt32 = 1114
  static let numeric: UInt32 = 1700
  static let uuid: UInt32 = 2950
}

/// A staging row as a test writes it down: values in their binary form, nil for SQL NULL.
struct HandMadeRow {
  var key: [[UInt8]?]
  var version: [UInt8]?
  var others: [[UInt8]?] = []
  /// What production is asked for, where that is not the key itself.
  var probeKey: [[UInt8]?] = []
  var block: UInt32 = 0
  var offset: UInt16 = 1
}

extension HandMadeRow {
  /// A row of a table with one bigint key and a timestamp.
  init(_ key: Int64?, version: Int64?) {
    self.init(key: [key.map { bytes($0) }], version: version.map { bytes($0) })
  }

  /// All fields in wire order; the version stands behind the key.
  var fields: [[UInt8]?] {
    [bytes(block) + bytes(offset)] + probeKey + key + [version] + others
  }
}

/// An integer's binary form.
func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(bigEndian: value)
  return bytes
}

/// A text's binary form.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What a staging read would send, header and trailer included.
func stream(_ rows: [[[UInt8]?]]) -> [UInt8] {
  var writer = CopyWriter()
  writer.writeHeader()
  for row in rows {
    writer.beginRow(fieldCount: row.count)
    for value in row {
      if let value { writer.writeField(value) } else { writer.writeNull() }
    }
  }
  writer.writeTrailer()
  return writer.bytes
}

extension StagedBatch {
  /// An indexed batch.
  static func handMade(_ rows: [HandMadeRow], _ plan: TablePlan) throws -> StagedBatch {
    var batch = StagedBatch()
    batch.bytes = stream(rows.map(\.fields))
    try batch.index(plan)
    return batch
  }

  /// A batch in key order.
  static func arranged(_ rows: [HandMadeRow], _ plan: TablePlan) throws -> StagedBatch {
    var batch = try handMade(rows, plan)
    var order = KeyOrder()
    try order.arrange(&batch, plan)
    return batch
  }

  /// The first key column's value of a candidate.
  func key(_ candidate: UInt32) throws -> [UInt8]? {
    var cursor = CopyCursor(offset: rows[Int(candidate)].fields.lowerBound)
    let field = try cursor.readField(in: bytes.rawSpan)
    return field.isNull ? nil : Array(bytes[field.bytes])
  }
}

extension TablePlan {
  /// A table of so many columns; the version stands behind the key.
  static func handMade(
    key: [UInt32] = [TypeOid.bigint],
    version: UInt32 = TypeOid.timestamp,
    others: [UInt32] = [],
    nullRule: MergeOptions.NullRule = .productionLoses,
    keyEqualityIsBytewise: Bool = true,
    sendsProbeKeys: Bool = false,
    updatesNothing: Bool = false,
    casts: Bool = false
  ) -> TablePlan {
    TablePlan(
      staging: QualifiedName(schema: "staging", name: "t"),
      production: QualifiedName(schema: "production", name: "t"),
      productionOid: 1,
      estimatedRowCount: nil,
      columns: (key + [version] + others).enumerated().map { index, oid in
        column("c\(index)", oid, isInsertOnly: updatesNothing, casts: casts)
      },
      keyColumnCount: key.count,
      versionIndex: key.count,
      versionType: VersionType(typeOid: version) ?? .numeric,
      sendsProbeKeys: sendsProbeKeys,
      keyEqualityIsBytewise: keyEqualityIsBytewise,
      keyIndexOid: 2,
      keyIsDeferrable: false,
      keyIsPrimary: true,
      hasStatusColumn: true,
      nullRule: nullRule,
      writing: .init(marksRows: true)
    )
  }

  private static func column(_ name: String, _ oid: UInt32, isInsertOnly: Bool, casts: Bool) -> Column {
    Column(
      name: Identifier(name),
      readExpression: casts ? "s.\(Identifier(name))::any" : "s.\(Identifier(name))",
      travel: .binary,
      baseType: CatalogColumn.BaseType(
        oid: oid,
        modifier: -1,
        plainName: "any",
        fullName: "any",
        arrayOid: oid + 1,
        nonDeterministicCollation: nil
      ),
      isInsertOnly: isInsertOnly,
      equality: "="
    )
  }
}
