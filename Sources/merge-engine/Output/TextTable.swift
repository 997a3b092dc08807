/// A table in plain text: a heading, a rule, rows, and if wanted a rule with totals. Numbers stand at the right.
struct TextTable {
  /// A column's heading, and whether it holds numbers.
  struct Column {
    let heading: String
    let isNumeric: Bool

    static func text(_ heading: String) -> Column { Column(heading: heading, isNumeric: false) }
    static func number(_ heading: String) -> Column { Column(heading: heading, isNumeric: true) }
  }

  private let columns: [Column]
  private var rows: [[String]] = []
  private var totals: [String]?

  init(_ columns: [Column]) {
    self.columns = columns
  }

  /// Columns of text, and behind them columns of numbers.
  init(_ texts: [String], numbers: [String] = []) {
    self.init(texts.map(Column.text) + numbers.map(Column.number))
  }

  /// Adds a row with one cell a column.
  ///
  /// Names out of a catalog may hold anything: what would move the cursor or recolour the terminal shows as `�`.
  mutating func add(_ cells: [String]) {
    precondition(cells.count == columns.count)
    rows.append(cells.map(Self.printable))
  }

  private static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
    return String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 })
    )
  }

  /// Adds the last row, which stands below a rule.
  mutating func addTotals(_ cells: [String]) {
    precondition(cells.count == columns.count)
    totals = cells
  }

  /// The table, each line ended by a newline.
  func rendered(_ style: Style) -> String {
    let all = [columns.map(\.heading)] + rows + (totals.map { [$0] } ?? [])
    let widths = columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { index in
        let filling = String(repeating: " ", count: widths[index] - cells[index].count)
        return columns[index].isNumeric ? filling + cells[index] : cells[index] + filling
      }
      var text = padded.joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text
    }
    let rule = style.paint(widths.map { String(repeating: "─", count: $0) }.joined(separator: "  "), .faint)
    var lines = [style.paint(line(columns.map(\.heading)), .bold), rule] + rows.map(line)
    if let totals { lines += [rule, style.paint(line(totals), .bold)] }
    return lines.joined(separator: "\n") + "\n"
  }
}
