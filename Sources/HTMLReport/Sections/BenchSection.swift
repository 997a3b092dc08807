import Bench
import MergeEngine

/// One workload of a bench: a bar a contender, and the table behind them.
struct BenchSection {
  private let model: Model

  init(_ workload: BenchReport.WorkloadReport) {
    let longest = workload.contenders.map(\.spreadSeconds.upperBound).max() ?? 1
    model = Model(
      name: workload.workload.rawValue,
      summary: workload.summary,
      stagedRowCount: Numbers.grouped(workload.stagedRowCount),
      productionRowCount: Numbers.grouped(workload.productionRowCount),
      bars: workload.contenders.filter(\.isRight).map { Bar($0, longest: longest) },
      rows: workload.contenders.map { Row($0, workload) }
    )
  }

  var html: String { Self.template.render(model) }

  private struct Model {
    let name: String
    let summary: String
    let stagedRowCount: String
    let productionRowCount: String
    let bars: [Bar]
    let rows: [Row]
  }

  private struct Bar {
    let name: String
    let tone: String
    let width: String
    let from: String
    let to: String
    let seconds: String

    init(_ contender: BenchReport.ContenderReport, longest: Double) {
      name = contender.name
      // The engine stands out; what nobody can be faster than is apart from those who try.
      tone = contender.contender.isEngine ? "updated" : contender.contender.isFloor ? "duplicate" : "unchanged"
      width = Plot.number(contender.medianSeconds / longest * Plot.width)
      from = Plot.number(contender.spreadSeconds.lowerBound / longest * Plot.width)
      to = Plot.number(contender.spreadSeconds.upperBound / longest * Plot.width)
      seconds = Numbers.decimal(contender.medianSeconds, places: 2) + " s"
    }
  }

  private struct Row {
    let name: String
    let cells: [String]

    init(_ contender: BenchReport.ContenderReport, _ workload: BenchReport.WorkloadReport) {
      name = contender.name
      guard contender.isRight else {
        cells = ["wrong result"] + Array(repeating: "", count: 12)
        return
      }
      let rows = Double(workload.stagedRowCount)
      let spread = contender.spreadSeconds
      cells = [
        Numbers.decimal(contender.medianSeconds, places: 2) + " s",
        Numbers.decimal(spread.lowerBound, places: 2) + " to " + Numbers.decimal(spread.upperBound, places: 2),
        "\(contender.measurements.count)",
        Numbers.grouped(Int(rows / contender.medianSeconds)),
        workload.speedup(contender).map { Numbers.decimal($0, places: 2) } ?? "-",
        workload.overFloor(contender).map { Numbers.decimal($0, places: 2) } ?? "-",
        contender.serverCPUSeconds.map { Numbers.decimal($0, places: 2) + " s" } ?? "-",
        workload.cpuOverFloor(contender).map { Numbers.decimal($0, places: 2) } ?? "-",
        contender.clientCPUSeconds.map { Numbers.decimal($0, places: 2) + " s" } ?? "-",
        contender.clientPeakBytes.map(Numbers.bytes) ?? "-",
        Numbers.bytes(contender.walBytes),
        Numbers.grouped(contender.deadTuples),
        contender.longestWriteSeconds.map { Numbers.decimal($0, places: 2) + " s" } ?? "-",
      ]
    }
  }

  private static let template = Template(
    """
    <section aria-labelledby="{{name}}">
    <h2 id="{{name}}">{{name}}</h2>
    <p>{{summary}}; {{stagedRowCount}} staging rows, {{productionRowCount}} in production.</p>
    <figure>
    <figcaption>Time to merge</figcaption>
    <div class="bars">
    {{#bars}}
    <div class="row">
    <div class="bar-label">{{name}}</div>
    <svg class="bar" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label="{{name}}: {{seconds}}">
    <rect class="{{tone}}" width="{{width}}" height="20"/>
    <line class="spread-edge" x1="{{from}}" x2="{{to}}" y1="10" y2="10"/>
    <line class="spread" x1="{{from}}" x2="{{to}}" y1="10" y2="10"/>
    </svg>
    <div class="bar-count">{{seconds}}</div>
    </div>
    {{/bars}}
    </div>
    </figure>
    <div class="scroll" tabindex="0" role="region" aria-label="Figures of {{name}}">
    <table>
    <caption>&times; guide: times as fast as the guide's statements. &divide; floor: times as long, or as much CPU time, as the bare writes.</caption>
    <thead><tr><th scope="col">contender</th><th scope="col" class="n">median</th><th scope="col" class="n">spread</th><th scope="col" class="n">runs</th><th scope="col" class="n">rows/s</th><th scope="col" class="n">&times; guide</th><th scope="col" class="n">&divide; floor</th><th scope="col" class="n">server CPU</th><th scope="col" class="n">&divide; floor</th><th scope="col" class="n">client CPU</th><th scope="col" class="n">client peak</th><th scope="col" class="n">WAL</th><th scope="col" class="n">dead tuples</th><th scope="col" class="n">CDC waited</th></tr></thead>
    <tbody>
    {{#rows}}
    <tr><th scope="row">{{name}}</th>{{#cells}}<td class="n">{{.}}</td>{{/cells}}</tr>
    {{/rows}}
    </tbody>
    </table>
    </div>
    </section>
    """
  )
}
