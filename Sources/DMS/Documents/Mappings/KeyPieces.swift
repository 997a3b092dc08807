/// Rows that are to be loaded by their keys, in pieces that a mapping document can hold.
///
/// AWS processes mapping documents of 2 MB at most
/// (<https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Tasks.CustomizingTasks.TableMapping.SelectionTransformation.html>)
/// and names no bound for the conditions of a filter; Oracle has to parse them all in one statement.
///
/// A filter is of one column, and those of a rule are joined by AND, so that no document can name just the rows of a key of several
/// columns: every combination of the columns' values is loaded. So keys that share values stay together, a piece has only so many
/// combinations, and no two pieces have one in common: DMS would load its row twice, which staging's key refuses.
public struct KeyPieces: Sendable {
  /// A row's key, by its columns.
  public typealias Key = [String: String]
  /// Keys by table.
  public typealias Keys = [String: [Key]]

  /// The pieces, in the order in which they are loaded.
  public private(set) var pieces: [Keys] = []

  /// The largest mapping document that AWS processes, in bytes.
  public static let documentByteLimit = 2_000_000
  /// The most keys of a piece. Arbitrary: a statement of some hundred conditions is no burden.
  public static let keyLimit = 500
  /// The most rows that a piece may load of a table. Arbitrary: a hundred times its keys.
  public static let combinationLimit = 50_000

  /// What a condition takes in an indented document beside its value, and somewhat more.
  private static let conditionByteCount = 160
  /// What is left to the rules themselves.
  private static let rulesByteCount = 400_000

  private let keyLimit: Int
  private let byteLimit: Int
  private let combinationLimit: Int
  /// The piece that is being filled.
  private var piece: Keys = [:]
  private var count = 0
  private var bytes = 0

  /// Cuts keys into pieces.
  public init(
    _ keys: Keys,
    keyLimit: Int = Self.keyLimit,
    byteLimit: Int = Self.documentByteLimit,
    combinationLimit: Int = Self.combinationLimit
  ) {
    self.keyLimit = keyLimit
    self.byteLimit = max(byteLimit - Self.rulesByteCount, byteLimit / 2)
    self.combinationLimit = combinationLimit
    for (table, rows) in keys.sorted(by: { $0.key < $1.key }) {
      add(rows[...], of: table, by: Self.columns(of: rows)[...])
    }
    finishPiece()
  }

  /// Adds keys, those with the same value of the first column together; where these are too many for a piece, they are told apart by the
  /// other columns, in pieces that hold no other value of the first.
  private mutating func add(_ rows: ArraySlice<Key>, of table: String, by columns: ArraySlice<String>) {
    for group in Self.groups(rows, by: columns) {
      if !hasRoom(for: group, of: table) { finishPiece() }
      if group.count > 1 && !hasRoom(for: group, of: table) {
        add(group, of: table, by: columns.dropFirst())
        finishPiece()
      } else {
        piece[table, default: []] += group
        count += group.count
        bytes += Self.byteCount(group)
      }
    }
  }

  /// The columns, first those with the fewest values: rows that have one of these in common make the fewest combinations.
  private static func columns(of rows: [Key]) -> [String] {
    let columns = (rows.first?.keys.sorted() ?? []).map { column in
      (name: column, valueCount: Set(rows.map { $0[column] }).count)
    }
    return columns.sorted { ($0.valueCount, $0.name) < ($1.valueCount, $1.name) }.map { $0.name }
  }

  private static func groups(_ rows: ArraySlice<Key>, by columns: ArraySlice<String>) -> [ArraySlice<Key>] {
    guard columns.count > 1, let column = columns.first else { return rows.indices.map { rows[$0...$0] } }
    let groups = Dictionary(grouping: rows) { $0[column] ?? "" }
    return groups.sorted { $0.key < $1.key }.map { $0.value[...] }
  }

  private func hasRoom(for group: ArraySlice<Key>, of table: String) -> Bool {
    guard count + group.count <= keyLimit, bytes + Self.byteCount(group) <= byteLimit else { return false }
    // Of a key of one column there are no more rows than keys.
    return (group.first?.count ?? 1) == 1 || Self.combinationCount((piece[table] ?? []) + group) <= combinationLimit
  }

  private mutating func finishPiece() {
    if count > 0 { pieces.append(piece) }
    (piece, count, bytes) = ([:], 0, 0)
  }

  private static func byteCount(_ rows: ArraySlice<Key>) -> Int {
    rows.reduce(0) { $0 + $1.reduce(0) { $0 + conditionByteCount + 2 * $1.value.utf8.count } }
  }

  /// How many rows a load may bring for these keys of one table: every combination of their columns' values.
  public static func combinationCount(_ rows: [Key]) -> Int {
    let columns = rows.first.map { Array($0.keys) } ?? []
    return columns.reduce(1) { product, column in
      let (count, overflows) = product.multipliedReportingOverflow(by: Set(rows.map { $0[column] }).count)
      return overflows ? .max : count
    }
  }

  /// The values of each column of a table's keys, without repetitions, for its filters.
  public static func values(of columns: [String], in rows: [Key]) -> [PlannedTable.KeyValues] {
    columns.map { column in
      var seen: Set<String> = []
      return .init(column: column, values: rows.compactMap { $0[column] }.filter { seen.insert($0).inserted })
    }
  }
}
