import Libpq

/// What a repair would have done by some moment, table by table: later rows are judged by it.
struct RepairForecast {
  private let tables: [TablePlan]
  private var done: [Done]

  private struct Done {
    /// The staging rows whose values are written.
    var written: Set<UInt64> = []
    /// The places of the rows that they are written over.
    var overwritten: Set<String> = []
    /// The places of the rows that are deleted.
    var deleted: Set<String> = []
  }

  init(_ tables: [TablePlan]) {
    self.tables = tables
    done = tables.map { _ in Done() }
  }

  /// A staging row is written.
  ///
  /// - Parameter place: of the row that it is written over, if there is one.
  mutating func write(_ address: UInt64, over place: String?, table: Int) {
    done[table].written.insert(address)
    if let place { done[table].overwritten.insert(place) }
  }

  /// A staging row is not written after all.
  mutating func takeBack(_ address: UInt64, over place: String?, table: Int) {
    done[table].written.remove(address)
    if let place { done[table].overwritten.remove(place) }
  }

  /// The row at a place is deleted.
  mutating func delete(at place: String, table: Int) {
    done[table].deleted.insert(place)
  }

  /// What is written and deleted, by table.
  var writes: [Remedies.Writes] { done.map { .these($0.written, deleted: $0.deleted) } }

  /// The rows that refer to a row by a foreign key: those of production that are left as they are, and those that are written.
  ///
  /// - Parameter rows: those of production, with the alias `c`.
  func rows(_ rows: SQL, of reference: Reference) -> [SQL] {
    guard let index = tables.firstIndex(where: { reference.isFrom($0.productionOid) }) else { return [rows] }
    let gone = RowPlaces(done[index].deleted.union(done[index].overwritten))
    let left: SQL = "\(rows) AND NOT \(gone.contain("c"))"
    let columns = tables[index].columns.filter { reference.childColumns.contains($0.name) }
    guard columns.count == reference.childColumns.count else { return [left] }
    let values = columns.map { column -> SQL in
      let value: SQL =
        column.travel == .text ? "(\(column.readExpression))::\(column.baseType.plainName)" : column.readExpression
      return "\(value) AS \(column.name)"
    }
    return [
      left,
      """
      SELECT FROM (SELECT \(values.joined(", ")) FROM \(tables[index].staging) AS s
                   WHERE \(SQL.rows(at: done[index].written.sorted()))) AS c
      WHERE \(reference.condition(child: "c"))
      """,
    ]
  }
}
