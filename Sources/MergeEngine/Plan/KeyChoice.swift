import Libpq
import Spelling

/// Which unique index tells the rows of a production table apart, and so matches staging's rows with them: the one that the
/// file names, else the primary key, else the only one that can.
struct KeyChoice {
  /// The index; nil where ``obstacles`` says why there is none.
  private(set) var key: UniqueIndex?
  /// What stands against matching rows, with what to do.
  private(set) var obstacles: [String] = []

  private let table: CatalogTable

  /// - Parameter wanted: the columns that the file names, in any order; nil if it names none.
  init(_ table: CatalogTable, wanted: [String]?) {
    self.table = table
    if let wanted {
      choose(Set(wanted.map { Identifier($0) }))
    } else if let primary = table.primaryKey {
      obstacles = reasons(against: primary).map { $0 + otherKeys(than: primary) }
      if obstacles.isEmpty { key = primary }
    } else {
      chooseOnlyOne()
    }
  }

  /// Several indexes may be over the same columns: one that can arbitrate ON CONFLICT first.
  private mutating func choose(_ columns: Set<Identifier>) {
    let indexes = table.uniqueIndexes.filter { $0.columnNames == columns && !$0.flaws.contains(.expression) }
    let usable = indexes.filter(isUsable)
    key = usable.first { !$0.isDeferrable } ?? usable.first
    guard key == nil else { return }
    guard let index = indexes.first else {
      let names = columns.sorted()
      obstacles = [
        "tables.\(table.name.name).key names \(Self.listed(names)), and no unique index of \(table.name) is over just "
          + "\(names.count == 1 ? "that column" : "these columns"): it may have been dropped. "
          + "Create one: \(Self.statement(uniqueIndex(over: names)))"
          + otherKeys(than: nil)
      ]
      return
    }
    obstacles = reasons(against: index).map { $0 + otherKeys(than: index) }
  }

  private mutating func chooseOnlyOne() {
    let usable = usableKeys
    guard usable.count != 1 else {
      key = usable[0]
      return
    }
    guard usable.isEmpty else {
      obstacles = [
        "\(table.name) has no primary key, and rows could be matched by \(usable.count) unique indexes. Name the columns of "
          + "one under tables.\(table.name.name) in the file: \(Spelling.list(usable.map(Self.line)))"
      ]
      return
    }
    let reasons = table.uniqueIndexes.flatMap(reasons)
    let advice =
      reasons.isEmpty
      ? "and no unique index, so rows can't be matched. \(adviceToMakeOne)"
      : "so rows can't be matched, and no unique index can take its place: \(reasons.joined(separator: " "))"
    obstacles = ["\(table.name) has no primary key, \(advice)"]
  }

  /// Of a table without any unique index.
  private var adviceToMakeOne: String {
    guard table.kind != .partitioned else {
      return
        "Add a primary key over the columns that tell them apart and those by which it is partitioned: "
        + Self.statement("ALTER TABLE \(table.name) ADD PRIMARY KEY (…)")
    }
    guard let first = table.columns.first?.name else { return "Add a primary key." }
    return "If \(first) tells them apart: \(Self.statement("ALTER TABLE \(table.name) ADD PRIMARY KEY (\(first))"))"
  }

  /// The server makes no index of a partitioned table while others write.
  private func uniqueIndex(over columns: [Identifier]) -> SQL {
    let concurrently: SQL = table.kind == .partitioned ? "" : "CONCURRENTLY "
    return "CREATE UNIQUE INDEX \(concurrently)ON \(table.name) (\(columns.joined()))"
  }

  /// One index for each set of columns.
  private var usableKeys: [UniqueIndex] {
    var seen: Set<Set<Identifier>> = []
    return table.uniqueIndexes.filter(isUsable).sorted { !$0.isDeferrable && $1.isDeferrable }
      .filter { seen.insert($0.columnNames).inserted }
      .sorted { $0.name.name < $1.name.name }
  }

  private func isUsable(_ index: UniqueIndex) -> Bool { reasons(against: index).isEmpty }

  /// What else could be named; empty, or a sentence behind a blank.
  private func otherKeys(than index: UniqueIndex?) -> String {
    let others = usableKeys.filter { $0.columnNames != index?.columnNames }
    guard !others.isEmpty else { return "" }
    return " Or match rows by another unique index, under tables.\(table.name.name) in the file: "
      + Spelling.list(others.map(Self.line))
  }

  /// `key: [a, b] (index orders_a_b_key)`
  private static func line(_ index: UniqueIndex) -> String {
    "key: [\(index.columns.map { yaml($0.name.name) }.joined(separator: ", "))] (index \(index.name.name))"
  }

  /// A name as YAML reads it back.
  private static func yaml(_ name: String) -> String {
    let isPlain = name.utf8.allSatisfy { byte in
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        || UInt8(ascii: "_") == byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }
    guard isPlain, name.utf8.first.map({ !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0) }) == true else {
      return "'\(name.replacing("'", with: "''"))'"
    }
    return name
  }

  private static func listed(_ names: [Identifier]) -> String { "(\(names.map(\.name).joined(separator: ", ")))" }

  private static func statement(_ sql: SQL) -> String { "\(sql.text);" }

  // MARK: What stands against an index

  private func reasons(against index: UniqueIndex) -> [String] {
    let name =
      index.isPrimary ? "the primary key of \(table.name)" : "the unique index \(index.name.name) of \(table.name)"
    let computed = index.columns.filter { table.column($0.name)?.isGenerated == true }.map { column in
      "the key column \(column.name) of \(table.name) is computed by the server, so rows can't be matched by it. Make it "
        + "an ordinary column."
    }
    return index.flaws.map { "\(name) \(explained($0, of: index))" } + computed
  }

  private func explained(_ flaw: UniqueIndex.Flaw, of index: UniqueIndex) -> String {
    let columns = index.columns.map(\.name)
    let another = uniqueIndex(over: columns)
    switch flaw {
    case .invalid:
      return "is not valid: its creation did not finish. Rebuild it: "
        + Self.statement("REINDEX INDEX CONCURRENTLY \(index.name)")
    case .partial:
      return
        "is partial, and does not cover the rows that its WHERE leaves out. If \(Self.listed(columns)) is unique among all "
        + "rows: \(Self.statement(another))"
    case .expression:
      return "is over an expression, by which rows can't be looked up. Create one over plain columns."
    case .notOfEquality:
      return "is WITHOUT OVERLAPS: it tells rows apart by periods, which can't be matched. Merge into a table with an "
        + "ordinary primary key, or leave this one out."
    case .nullable(let column):
      return "allows NULL in \(column), and does not tell apart rows without a value. If every row has one: "
        + Self.statement("ALTER TABLE \(table.name) ALTER COLUMN \(column) SET NOT NULL")
    case .otherEquality(let column):
      return
        "compares \(column) by an operator class whose equality is not that of the column's type. Create one with the "
        + "type's own: \(Self.statement(another))"
    case .otherCollation(let column):
      return
        "has another collation for \(column) than the column itself, so a look-up would not use it. Create one without "
        + "COLLATE: \(Self.statement(another))"
    }
  }
}
