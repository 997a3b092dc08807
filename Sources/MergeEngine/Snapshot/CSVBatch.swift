import BinaryCopy
import Libpq

/// Rows of CSV files that are converted together, their values in the order of the table's columns.
struct CSVBatch {
  /// A row, and where it stands.
  struct Row {
    /// Its number among all rows of the table's files, from 1.
    let number: Int
    /// Which of the table's files.
    let file: Int
    let line: Int
    /// nil where the file has no column of that kind.
    let operation: CSVOperation?
    /// The place of its first value in the batch's values.
    fileprivate let firstValue: Int
  }

  private(set) var rows: [Row] = []
  private(set) var bytes: [UInt8] = []
  /// nil for NULL.
  private var values: [Range<Int>?] = []

  /// So much is converted at once. Arbitrary: what a statement costs is little against it.
  static let rowLimit = 5000
  static let byteLimit = 2 << 20

  var isFull: Bool { rows.count >= Self.rowLimit || bytes.count >= Self.byteLimit }

  mutating func removeAll() {
    rows.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
    values.removeAll(keepingCapacity: true)
  }

  /// Adds a row, the fields of the table's columns in their order.
  mutating func append(
    _ row: CSVRow,
    fields: [Int],
    nullTexts: [[UInt8]],
    number: Int,
    file: Int,
    operation: CSVOperation?
  ) {
    rows.append(Row(number: number, file: file, line: row.line, operation: operation, firstValue: values.count))
    for field in fields {
      let (range, isQuoted) = (row.fields[field].value, row.fields[field].isQuoted)
      guard isQuoted || !nullTexts.contains(where: { row.bytes[range].elementsEqual($0) }) else {
        values.append(nil)
        continue
      }
      let start = bytes.count
      bytes += row.bytes[range]
      values.append(start..<bytes.count)
    }
  }

  /// The values of one column as an array of text.
  ///
  /// - Parameter rows: places in ``rows``.
  func texts(_ rows: [Int], column: Int) -> Parameter {
    var array = BinaryArrayWriter(elementType: TypeOID.text)
    array.removeAll()
    for row in rows {
      if let value = values[self.rows[row].firstValue + column] {
        array.append(value, of: bytes.rawSpan)
      } else {
        array.appendNull()
      }
    }
    array.finish()
    return Parameter(binary: array.bytes, type: TypeOID.textArray)
  }
}

/// What the first column of DMS's files says of a row's source: the row was inserted there, changed or deleted.
///
/// <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Target.S3.html>, "Indicating source DB operations in migrated S3 data".
enum CSVOperation: String {
  case insert = "I"
  case update = "U"
  case delete = "D"
}
