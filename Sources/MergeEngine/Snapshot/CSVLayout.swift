import Libpq
import Spelling

/// Which field of a file's rows is what.
struct CSVLayout {
  /// Where the field with the operation stands; nil if there is none.
  let operation: Int?
  /// By the table's columns in their order, where the field stands.
  let fields: [Int]
  /// How many fields a row has.
  let fieldCount: Int

  /// What DMS calls the column with the operation, where it writes names.
  static let operationName = "Op"

  /// Why a file's fields are not the table's.
  struct Mismatch: Error {
    let message: String
  }

  /// - Parameters:
  ///   - names: of the fields, by the file's first row or as they were given; without the operation's unless a first row says it.
  ///   - fieldCount: of the file's first row.
  ///   - first: what the first field of the first row of values says; nil for a file without rows.
  ///   - columns: the table's, that the snapshot is to have.
  init(names: [String], fieldCount: Int, first: String?, columns: [Identifier]) throws(Mismatch) {
    let saysOperation = names.first == Self.operationName && !columns.contains(Identifier(Self.operationName))
    var hasOperation = saysOperation
    if !saysOperation, fieldCount == names.count + 1 {
      hasOperation = first.map { CSVOperation(rawValue: $0) != nil } ?? true
    }
    operation = hasOperation ? 0 : nil
    let behind = hasOperation && !saysOperation ? 1 : 0
    if !hasOperation, fieldCount == names.count + 1, let first {
      throw Mismatch(
        message:
          "its first row has one field more than there are columns, as if it had Op, but begins with \(first), which is none of "
          + "I, U and D"
      )
    }
    guard fieldCount == names.count + behind else {
      let expected = Spelling.counted(names.count, "column")
      let list = names.joined(separator: ", ")
      throw Mismatch(message: "its first row has \(Spelling.counted(fieldCount, "field")) for \(expected) (\(list))")
    }
    self.fieldCount = fieldCount
    var fields: [Int] = []
    for column in columns {
      // As it stands before the same in another case.
      let values = names.indices.dropFirst(saysOperation ? 1 : 0)
      let exact = values.filter { names[$0] == column.name }
      let places = exact.isEmpty ? values.filter { Self.isSame(names[$0], column) } : exact
      guard places.count < 2 else {
        throw Mismatch(message: "\(Spelling.counted(places.count, "field")) are called \(column.name)")
      }
      fields.append((places.first ?? 0) + behind)
    }
    self.fields = fields
  }

  /// Whether a name in a file is that of a column: as it stands, or in another case, as Oracle's names are.
  static func isSame(_ name: String, _ column: Identifier) -> Bool {
    name == column.name || name.lowercased() == column.name
  }
}
