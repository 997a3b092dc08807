import MergeEngine

/// Counts by table and verdict: bars, and the table behind them.
struct VerdictSection {
  private let model: Model

  init(_ run: StoredRun) {
    let totals = run.tables.count > 1 ? [Row("All tables", run.totals, milliseconds: nil)] : []
    model = Model(
      legend: Share.kinds.map { Legend(tone: $0.tone, name: $0.name, meaning: $0.meaning) },
      bars: run.tables.enumerated().map { Bar(number: $0.offset + 1, $0.element) },
      rows: run.tables.map { Row($0.table, $0.counts, milliseconds: $0.elapsedMilliseconds) },
      totals: totals,
      hasTables: !run.tables.isEmpty,
      lostRaces: run.totals.lostRaces > 0 ? Numbers.grouped(run.totals.lostRaces) : nil
    )
  }

  var html: String { Self.template.render(model) }

  private struct Model {
    let legend: [Legend]
    let bars: [Bar]
    let rows: [Row]
    let totals: [Row]
    let hasTables: Bool
    let lostRaces: String?
  }

  private struct Legend {
    let tone: String
    let name: String
    let meaning: String
  }

  /// A table's verdicts side by side, as shares of its rows.
  private struct Bar {
    let number: Int
    let table: String
    let readCount: String
    let description: String
    let segments: [Segment]

    init(number: Int, _ table: StoredRun.Table) {
      self.number = number
      self.table = table.table
      readCount = Numbers.grouped(table.counts.read)
      let shares = Share.all(table.counts)
      description =
        shares.isEmpty
        ? "none read" : shares.map { "\(Numbers.grouped($0.count)) \($0.kind.name)" }.joined(separator: ", ")
      segments = Segment.laidOut(shares)
    }
  }

  /// A rectangle of a bar that is 1,000 wide.
  private struct Segment {
    let tone: String
    let x: String
    let width: String

    /// Widths by count. What is there at all is wide enough to be seen: three refused rows among a million are the first
    /// thing that somebody looks for.
    static func laidOut(_ shares: [Share]) -> [Segment] {
      let gap = 2.0
      let least = 5.0
      let room = 1000 - gap * Double(max(shares.count - 1, 0))
      let total = Double(shares.reduce(0) { $0 + $1.count })
      let wanted = shares.map { max(Double($0.count) / total * room, least) }
      let scale = room / wanted.reduce(0, +)
      var x = 0.0
      return zip(shares, wanted).map { share, width in
        defer { x += width * scale + gap }
        return Segment(tone: share.kind.tone, x: Plot.number(x), width: Plot.number(width * scale))
      }
    }
  }

  private struct Row {
    let table: String
    let cells: [String]
    let refused: String
    let hasRefused: Bool
    let more: [String]

    init(_ table: String, _ counts: VerdictCounts, milliseconds: Int?) {
      self.table = table
      cells = [
        counts.read, counts.inserted, counts.updated, counts.unchanged, counts.stale, counts.duplicate,
      ].map(Numbers.grouped)
      refused = Numbers.grouped(counts.errors)
      hasRefused = counts.errors > 0
      let isTimed = milliseconds.map { $0 > 0 } ?? false
      more = [
        Numbers.grouped(counts.batches),
        isTimed ? Numbers.duration(milliseconds: milliseconds ?? 0) : "-",
        isTimed ? Numbers.grouped(counts.read * 1000 / max(milliseconds ?? 1, 1)) : "-",
      ]
    }
  }

  private static let template = Template(
    """
    <section aria-labelledby="verdicts">
    <h2 id="verdicts">What was merged</h2>
    {{^hasTables}}
    <p>No counts by table are recorded: the run has not reached its merge, or it was made by the guide's own SQL.</p>
    {{/hasTables}}
    {{#hasTables}}
    <figure>
    <figcaption>Verdicts by table, as shares of the rows read</figcaption>
    <ul class="legend" aria-label="Legend">
    {{#legend}}
    <li title="{{meaning}}"><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="{{tone}}" width="10" height="10"/></svg>{{name}}</li>
    {{/legend}}
    </ul>
    <div class="bars">
    {{#bars}}
    <div class="row">
    <div class="bar-label"><bdi>{{table}}</bdi></div>
    <svg class="bar" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-labelledby="bar{{number}}-title bar{{number}}-text">
    <title id="bar{{number}}-title">Verdicts of {{table}}</title>
    <desc id="bar{{number}}-text">Of {{readCount}} rows: {{description}}.</desc>
    <rect class="empty" width="1000" height="20"/>
    {{#segments}}<rect class="{{tone}}" x="{{x}}" width="{{width}}" height="20"/>{{/segments}}
    </svg>
    <div class="bar-count">{{readCount}}</div>
    </div>
    {{/bars}}
    </div>
    </figure>
    <div class="scroll" tabindex="0" role="region" aria-label="Counts by table and verdict">
    <table>
    <caption>Staging rows by table and verdict. Every row read has exactly one verdict.</caption>
    <thead><tr><th scope="col">table</th><th scope="col" class="n">read</th><th scope="col" class="n">inserted</th><th scope="col" class="n">updated</th><th scope="col" class="n">unchanged</th><th scope="col" class="n">stale</th><th scope="col" class="n">duplicate</th><th scope="col" class="n">errors</th><th scope="col" class="n">batches</th><th scope="col" class="n">time</th><th scope="col" class="n">rows/s</th></tr></thead>
    <tbody>
    {{#rows}}
    <tr><th scope="row"><bdi>{{table}}</bdi></th>{{#cells}}<td class="n">{{.}}</td>{{/cells}}<td class="n{{#hasRefused}} alert{{/hasRefused}}">{{refused}}</td>{{#more}}<td class="n">{{.}}</td>{{/more}}</tr>
    {{/rows}}
    </tbody>
    {{#totals}}
    <tfoot><tr><th scope="row">{{table}}</th>{{#cells}}<td class="n">{{.}}</td>{{/cells}}<td class="n{{#hasRefused}} alert{{/hasRefused}}">{{refused}}</td>{{#more}}<td class="n">{{.}}</td>{{/more}}</tr></tfoot>
    {{/totals}}
    </table>
    </div>
    {{#lostRaces}}
    <p class="note">Of the stale rows, {{.}} looked new when they were read, but are not in production as they were sent: production had a newer row by then, since CDC continues during the merge, or a trigger swallowed or changed them.</p>
    {{/lostRaces}}
    {{/hasTables}}
    </section>
    """
  )
}
