/// A table in plain text: a heading, a rule, rows, and if wanted a rule with totals. Numbers stand at the right.
///
/// In a window it is made to fit: columns move closer, those that may go and hold nothing but zeros go, headings break at spaces, texts wrap within their columns, and the columns
/// that still have no room stand below, behind the first one again.
struct TextTable {
  /// A column's heading, and whether it holds numbers.
  struct Column {
    let heading: String
    let isNumeric: Bool

    static func text(_ heading: String) -> Column { Column(heading: heading, isNumeric: false) }
    static func number(_ heading: String) -> Column { Column(heading: heading, isNumeric: true) }
  }

  private let columns: [Column]
  /// Headings of columns that may go, the first of them first, where they hold nothing but zeros and there is no room.
  var omittable: [String] = []
  private var rows: [[TerminalText]] = []
  private var totals: [TerminalText]?

  init(_ columns: [Column]) {
    self.columns = columns
  }

  /// Columns of text, and behind them columns of numbers.
  init(_ texts: [String], numbers: [String] = []) {
    self.init(texts.map(Column.text) + numbers.map(Column.number))
  }

  /// Adds a row with one cell a column.
  mutating func add(_ cells: [String]) {
    add(texts: cells.map { "\($0)" })
  }

  /// Adds a row of cells that may be coloured.
  mutating func add(texts cells: [TerminalText]) {
    precondition(cells.count == columns.count)
    rows.append(cells)
  }

  /// Adds the last row, which stands below a rule.
  mutating func addTotals(_ cells: [String]) {
    precondition(cells.count == columns.count)
    totals = cells.map { "\($0)" }
  }

  /// The table, each line ended by a newline.
  func rendered(_ style: Style) -> TerminalText {
    let natural = columns.indices.map(naturalWidth)
    let all = Array(columns.indices)
    guard let limit = style.width, Self.total(natural, gap: Self.wideGap) > limit else {
      return block(all, natural, style, gap: Self.wideGap)
    }
    let kept = omittable.reduce(all) { kept, heading in
      guard Self.total(kept.map { natural[$0] }, gap: 1) > limit else { return kept }
      return kept.filter { columns[$0].heading != heading || !holdsOnlyZeros($0) }
    }
    guard Self.total(kept.map { natural[$0] }, gap: 1) > limit else { return block(kept, natural, style, gap: 1) }
    let narrow = columns.indices.map { min(natural[$0], leastWidth($0)) }
    return groups(of: kept, narrow, limit)
      .map { block($0, Self.widened(narrow, to: natural, group: $0, limit), style, gap: 1) }
      .joined("\n")
  }

  // MARK: Widths

  private static let wideGap = 2
  /// A column of text gets no narrower than this; what is longer wraps. Arbitrary, about two short words.
  private static let leastTextWidth = 16

  private static func total(_ widths: [Int], gap: Int) -> Int { widths.reduce(0, +) + gap * max(widths.count - 1, 0) }

  private func cells(_ column: Int) -> [TerminalText] { (rows + (totals.map { [$0] } ?? [])).map { $0[column] } }

  private func holdsOnlyZeros(_ column: Int) -> Bool { cells(column).allSatisfy { $0.string == "0" } }

  private func naturalWidth(_ column: Int) -> Int {
    cells(column).map(\.width).reduce(heading(column).width, max)
  }

  /// Numbers never break, headings do at their spaces, texts anywhere.
  private func leastWidth(_ column: Int) -> Int {
    let word = columns[column].heading.split(separator: " ").map(\.count).max() ?? 0
    let widest = cells(column).map(\.width).max() ?? 0
    return max(word, columns[column].isNumeric ? widest : min(widest, Self.leastTextWidth))
  }

  /// The columns that stand side by side; the first one begins every group.
  private func groups(of kept: [Int], _ widths: [Int], _ limit: Int) -> [[Int]] {
    kept.dropFirst().reduce(into: [[0]]) { groups, column in
      let group = groups[groups.count - 1] + [column]
      let fits = Self.total(group.map { widths[$0] }, gap: 1) <= limit || group.count == 2
      if fits { groups[groups.count - 1] = group } else { groups.append([0, column]) }
    }
  }

  /// What is left of the line goes to the columns that have given most.
  private static func widened(_ narrow: [Int], to natural: [Int], group: [Int], _ limit: Int) -> [Int] {
    var widths = narrow
    var left = limit - total(group.map { widths[$0] }, gap: 1)
    while left > 0, let column = group.max(by: { natural[$0] - widths[$0] < natural[$1] - widths[$1] }),
      natural[column] > widths[column]
    {
      widths[column] += 1
      left -= 1
    }
    return widths
  }

  // MARK: Lines

  private func heading(_ column: Int) -> TerminalText { "\(columns[column].heading)" }

  private func block(_ group: [Int], _ widths: [Int], _ style: Style, gap: Int) -> TerminalText {
    let rules = group.map { "\(String(repeating: "─", count: widths[$0]))" as TerminalText }
    let rule = style.paint(rules.joined("\(String(repeating: " ", count: gap))"), .faint)
    let grid = Grid(group: group, widths: widths, gap: gap)
    var all = lines(columns.indices.map(heading), grid, atBottom: true).map { style.paint($0, .bold) }
    all += [rule] + rows.flatMap { lines($0, grid) }
    if let totals { all += [rule] + lines(totals, grid).map { style.paint($0, .bold) } }
    return all.map { $0 + "\n" }.joined()
  }

  /// Which columns stand side by side, how wide each column is, and the spaces between them.
  private struct Grid {
    let group: [Int]
    let widths: [Int]
    let gap: Int
  }

  /// A row of cells, in as many lines as the highest cell needs.
  private func lines(_ cells: [TerminalText], _ grid: Grid, atBottom: Bool = false) -> [TerminalText] {
    let wrapped = grid.group.map { cells[$0].wrapped(to: grid.widths[$0]) }
    let height = wrapped.map(\.count).max() ?? 0
    return (0..<height).map { number in
      zip(grid.group, wrapped).reduce(into: Row(gap: grid.gap)) { row, entry in
        let (column, parts) = entry
        let index = atBottom ? number - (height - parts.count) : number
        row.add(
          parts.indices.contains(index) ? parts[index] : "",
          width: grid.widths[column],
          isNumeric: columns[column].isNumeric
        )
      }.text
    }
  }

  /// A line that grows by one cell after another; nothing is filled up at its end.
  private struct Row {
    var text: TerminalText = ""
    private let gap: Int
    private var filling = 0
    private var isFirst = true

    init(gap: Int) { self.gap = gap }

    mutating func add(_ cell: TerminalText, width: Int, isNumeric: Bool) {
      filling += isFirst ? 0 : gap
      isFirst = false
      let spare = max(width - cell.width, 0)
      if cell.isEmpty {
        filling += width
      } else if isNumeric {
        text += "\(String(repeating: " ", count: filling + spare))\(cell)"
        filling = 0
      } else {
        text += "\(String(repeating: " ", count: filling))\(cell)"
        filling = spare
      }
    }
  }
}
